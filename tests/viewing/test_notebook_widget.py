"""The widget of Jupyter, through its messages."""

import json
import sys

import numpy as np
import pytest
from frames import moving

import h5vidstack
from h5vidstack.viewing import notebook_widget

FRAMES = moving((9, 30, 40)).astype("u2") * 9


@pytest.fixture
def stack():
    h5vidstack.pack(FRAMES, "x.h5")
    with h5vidstack.open("x.h5") as stack:
        yield stack


def test_what_is_missing_is_named(stack, monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    notebook_widget.widget_class.cache_clear()
    with pytest.raises(h5vidstack.MissingError, match=r'pip install "h5vidstack\[jupyter\]"'):
        stack.view()


@pytest.mark.parametrize(("options", "words"), [
    ({"frame": 9}, "there is no frame 9; there are 9"),
    ({"frame": -10}, "there is no frame -10"),
    ({"height": 10}, "height is 10; it must be at least 240"),
    ({"height": "tall"}, "height is 'tall'"),
])  # fmt: skip
def test_nonsense(stack, options, words):
    with pytest.raises(h5vidstack.QueryError, match=words):
        stack.view(**options)


class TestMessages:
    """What the widget answers."""

    @pytest.fixture
    def widget(self, stack):
        pytest.importorskip("anywidget")
        notebook_widget.widget_class.cache_clear()
        return stack.view(frame=-1, height=500)

    def ask(self, widget, question, number="a-0"):
        """Send a message as the page does, and take what the widget sends."""
        sent = []
        widget.send = lambda content, buffers=None: sent.append((content, buffers))
        # What ipywidgets calls when a message has come from the browser.
        widget._handle_custom_msg({"id": number, "question": question}, [])
        ((content, buffers),) = sent
        assert content["id"] == number
        return json.loads(content["facts"]), buffers[0]

    def test_state(self, widget):
        assert (widget.frame, widget.height) == (8, 500)
        state = widget.get_state()
        assert "export default { render };" in state["_esm"]
        assert ".h5v" in state["_css"]

    def test_frames(self, widget):
        facts, samples = self.ask(widget, {"ask": "frames", "numbers": [2, 5], "factor": 1})
        assert facts["shape"] == [30, 40]
        assert isinstance(samples, bytes)
        np.testing.assert_array_equal(
            np.frombuffer(samples, "<u2").reshape(2, 30, 40), FRAMES[[2, 5]]
        )

    def test_stack(self, widget):
        facts, samples = self.ask(widget, {"ask": "stack"}, "z-17")
        assert facts["frames"] == 9
        assert samples == b""

    def test_problems(self, widget, stack):
        assert self.ask(widget, {"ask": "frame", "number": 9})[0]["kind"] == "QueryError"
        stack.close()
        question = {"ask": "frames", "numbers": [1], "factor": 1}
        assert self.ask(widget, question)[0]["kind"] == "ClosedError"

    def test_messages_of_others(self, widget):
        sent = []
        widget.send = lambda *_: sent.append(1)
        for message in (None, {}, {"question": {"ask": "stack"}}, "text"):
            widget._handle_custom_msg(message, [])
        assert sent == []
