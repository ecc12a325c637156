"""The viewer as a widget of Jupyter: the same page, whose questions come as messages."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ..errors import QueryError, extra
from ..reading.stack_reader import StackReader
from ..text import json_text
from .answers import Answers
from .front_end import STYLE, WIDGET, files, one_module

LEAST_HEIGHT = 240
"""The least height of a widget, in CSS pixels."""


@lru_cache
def widget_class() -> Any:
    """Return the class of widgets, which is made where anywidget is there."""
    with extra("jupyter"):
        import anywidget
        import traitlets

    class StackWidget(anywidget.AnyWidget):  # type: ignore[misc,name-defined,unused-ignore]
        """Shows one stack; see `widget`."""

        _esm = one_module(WIDGET)
        _css = files()[STYLE]
        height = traitlets.Int().tag(sync=True)
        frame = traitlets.Int(0).tag(sync=True)

        def __init__(self, answers: Answers, **values: Any) -> None:
            super().__init__(**values)
            self._answers = answers
            self.on_msg(self._asked)

        def _asked(self, _widget: Any, message: Any, _buffers: Any) -> None:
            """Answer a message ``{"id": ..., "question": ...}`` by one with the same id."""
            if not isinstance(message, dict) or "id" not in message:
                return
            answer = self._answers.answer(message.get("question"))
            samples = bytes(answer.samples)
            facts = json_text(answer.facts)
            self.send({"id": message["id"], "facts": facts}, [samples])

    return StackWidget


def widget(stack: StackReader, height: int, frame: int) -> Any:
    """Return a widget that shows a stack, as long as the stack is open.

    Parameters
    ----------
    stack
        An open stack.
    height
        Of the widget, in CSS pixels.
    frame
        The frame that is shown first.

    Raises
    ------
    MissingError
        If anywidget is not installed.
    QueryError
        If there is no such frame, or the height is less than `LEAST_HEIGHT`.
    """
    if not isinstance(height, int) or height < LEAST_HEIGHT:
        raise QueryError(f"height is {height!r}; it must be at least {LEAST_HEIGHT}")
    if not -len(stack) <= frame < len(stack):
        raise QueryError(f"there is no frame {frame}; there are {len(stack)}")
    made = widget_class()
    return made(Answers(stack), height=height, frame=range(len(stack))[frame])
