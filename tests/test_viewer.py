"""The viewer in a real browser: what is on the screen are the pixels, and its parts work."""

import base64
import json
import os

import h5py
import numpy as np
import pytest
from chromium import CHROMIUM, running
from frames import moving, pixels

import h5vidstack
from h5vidstack.viewing import notebook_widget
from h5vidstack.viewing.answers import Answers
from h5vidstack.viewing.page_server import PageServer
from h5vidstack.viewing.regions import shrink

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not CHROMIUM, reason="the viewer is tested in Chromium"),
]


@pytest.fixture(scope="module")
def browser():
    with running() as browser:
        yield browser


@pytest.fixture
def show(browser):
    """Show a file; gives the browser when its first frame is there."""
    open_ones = []

    def show(path="x.h5", width=1200, height=800):
        stack = h5vidstack.open(path)
        server = PageServer(Answers(stack)).running()
        browser.ask(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        address = server.__enter__().address
        open_ones.append((server, stack))
        browser.go(address)
        settle(browser, 0)
        return browser

    yield show
    browser.ask("Page.navigate", url="about:blank")
    for server, stack in open_ones:
        server.__exit__(None, None, None)
        stack.close()


def settle(browser, frame):
    """Wait until all that can be seen of a frame is shown."""
    browser.until(f"viewer.current === {frame} && viewer.ready({frame})")
    browser.run("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")


def screen(browser):
    """What the canvas shows, ``(H, W, 4)``, and where the frame begins on it."""
    text, shape, origin = browser.run("""(() => {
        const canvas = viewer.stage.canvas, {width, height} = canvas;
        const {data} = canvas.getContext("2d").getImageData(0, 0, width, height);
        let text = "";
        for (let i = 0; i < data.length; i += 32768)
            text += String.fromCharCode(...data.subarray(i, i + 32768));
        return [btoa(text), [height, width, 4], viewer.stage.origin];
    })()""")
    return np.frombuffer(base64.b64decode(text), "u1").reshape(shape), origin


def picture(browser, height, width, zoom=1):
    """The part of the canvas on which a frame lies."""
    shown, (left, top) = screen(browser)
    part = shown[top : top + height * zoom, left : left + width * zoom]
    assert part.shape == (height * zoom, width * zoom, 4), "the frame is not all on the screen"
    outside = np.ones(shown.shape[:2], bool)
    outside[top : top + height * zoom, left : left + width * zoom] = False
    assert not shown[outside].any()
    return part


def shaded(frame, low, high):
    """Say what gray values a frame has on the screen, from black to white."""
    frame = frame.astype(float)
    with np.errstate(invalid="ignore"):
        return np.clip(np.floor((frame - low) * 255 / (high - low) + 0.5), 0, 255)


def choose(browser, name, value):
    """Choose a value of a list or a number, as a user does."""
    browser.run(
        f"(e => {{ e.value = {json.dumps(value)}; e.onchange({{target: e}}); }})"
        f"(viewer.at({name!r}))"
    )


def press(browser, key, on="document.body", **more):
    event = json.dumps({"key": key, "bubbles": True, "cancelable": True, **more})
    browser.run(f"{on}.dispatchEvent(new KeyboardEvent('keydown', {event}))")


def test_what_is_on_the_screen_equals_the_pixels(show):
    frames = moving((6, 200, 300))
    h5vidstack.pack(frames, "x.h5")
    browser = show()
    browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")
    for number in range(6):
        browser.run(f"viewer.goTo({number})")
        settle(browser, number)
        shown = picture(browser, 200, 300)
        for channel in range(3):
            np.testing.assert_array_equal(shown[..., channel], frames[number])
        assert (shown[..., 3] == 255).all()


@pytest.mark.parametrize("zoom", [2, 3, 5])
def test_enlarged_pixels_are_squares(show, zoom):
    frames = moving((2, 60, 80))
    h5vidstack.pack(frames, "x.h5")
    browser = show()
    browser.run(f"viewer.zoomed(() => viewer.stage.zoomTo({zoom}))")
    shown = picture(browser, 60, 80, zoom)
    expected = frames[0].repeat(zoom, axis=0).repeat(zoom, axis=1)
    np.testing.assert_array_equal(shown[..., 0], expected)


@pytest.mark.parametrize(
    "dtype", ["u1", "u2", "i1", "i2", "u4", "i4", "f2", "f4", "f8", "i8", "u8", "?"]
)
def test_every_dtype(show, dtype):
    frames = pixels((3, 60, 80), dtype)
    h5vidstack.pack(frames, "x.h5")
    browser = show()
    browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")
    low, high = (0, 1) if dtype == "?" else (-100.0, 130.0) if dtype[0] in "if" else (20.0, 230.0)
    choose(browser, "low", low)
    choose(browser, "high", high)
    assert browser.run("viewer.at('mode').value") == "hand"
    shown = picture(browser, 60, 80)
    expected = shaded(frames[0], low, high)
    known = ~np.isnan(expected)
    np.testing.assert_array_equal(shown[known][:, 0], expected[known])
    assert (shown[~known] == 0).all()  # what is no number is transparent
    # The value under the pointer is the sample itself.
    where = "[(viewer.stage.origin[0] + 1.5), (viewer.stage.origin[1] + 0.5)]"
    browser.run(f"viewer.pointer = {where}; viewer.showPixel()")
    value = browser.text("[data-is=pixel]").split("=")[-1].strip()
    found = frames[0, 0, 1].item()
    words = {True: "true", False: "false", np.inf: "∞"}
    assert value == words.get(found, str(found))


def test_colours_of_rgb(show):
    frames = moving((3, 60, 80, 3))
    h5vidstack.pack(frames, "x.h5")
    browser = show()
    browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")
    np.testing.assert_array_equal(picture(browser, 60, 80)[..., :3], frames[0])
    assert browser.run("viewer.at('maps').hidden")
    press(browser, "ArrowRight")
    settle(browser, 1)
    np.testing.assert_array_equal(picture(browser, 60, 80)[..., :3], frames[1])


def test_contrast_and_colour_maps(show):
    frames = (np.arange(60 * 80, dtype="u2").reshape(1, 60, 80) * 13) + 100
    h5vidstack.pack(frames, "x.h5")
    browser = show()
    browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")

    def limits():
        return browser.run("[viewer.contrast.low, viewer.contrast.high]")

    ordered = np.sort(frames.ravel())
    expected = [int(ordered[round((ordered.size - 1) * p / 100)]) for p in (0.3, 99.7)]
    assert limits() == expected
    choose(browser, "percent-low", 10)
    choose(browser, "percent-high", 50)
    assert limits() == [int(ordered[round((ordered.size - 1) * p / 100)]) for p in (10, 50)]
    choose(browser, "mode", "extremes")
    assert limits() == [100, int(ordered[-1])]
    np.testing.assert_array_equal(
        picture(browser, 60, 80)[..., 0], shaded(frames[0], 100, int(ordered[-1]))
    )
    choose(browser, "mode", "range")
    assert limits() == [0, 65535]
    choose(browser, "map", "viridis")
    first, last = (
        browser.run(
            f"[...new Uint8Array(viewer.stage.shaded.values().next().value.words.buffer.slice(4 * {n}, 4 * {n} + 4))]"
        )
        for n in (0, 4799)
    )
    assert first[:3] == [68, 1, 84]  # where viridis begins
    assert last[:3] != first[:3]
    press(browser, "m")
    assert browser.run("viewer.contrast.map") == "magma"
    press(browser, "c")
    assert browser.run("viewer.contrast.mode") == "hand"
    assert "uint16" in browser.text("[data-is=mode]")


def test_contrast_anew_for_each_frame(show):
    frames = np.stack(
        [np.full((40, 50), n * 100, "u2") + np.arange(50, dtype="u2") for n in range(3)]
    )
    h5vidstack.pack(frames, "x.h5")
    browser = show()
    choose(browser, "mode", "extremes")
    press(browser, "ArrowRight")
    settle(browser, 1)
    assert browser.run("viewer.contrast.low") == 0
    browser.run("viewer.at('anew').click()")
    press(browser, "ArrowRight")
    settle(browser, 2)
    assert browser.run("[viewer.contrast.low, viewer.contrast.high]") == [200, 249]


def test_keys_slider_and_play(show):
    h5vidstack.pack(moving((40, 40, 50)), "x.h5", chunk_frames=8)
    browser = show()
    for key, more, frame in [
        ("ArrowRight", {}, 1), ("ArrowRight", {"shiftKey": True}, 11), ("PageDown", {}, 19),
        ("ArrowLeft", {}, 18), ("PageUp", {}, 10), ("End", {}, 39), ("ArrowRight", {}, 39),
        ("Home", {}, 0), ("ArrowLeft", {}, 0),
    ]:  # fmt: skip
        press(browser, key, **more)
        settle(browser, frame)
    assert browser.run("viewer.at('number').value") == "0"
    browser.run("(s => { s.value = 25; s.oninput(); })(viewer.sliders[0].slider)")
    settle(browser, 25)
    choose(browser, "number", 31)
    settle(browser, 31)
    choose(browser, "rate", 100)
    press(browser, " ")
    browser.until("viewer.current > 36")
    browser.until("viewer.current < 20")  # it begins again
    press(browser, " ")
    assert browser.run("viewer.at('play').getAttribute('aria-pressed')") == "false"
    at = browser.run("viewer.current")
    settle(browser, at)
    press(browser, "ArrowRight", on="viewer.at('low')")  # moves in the number, not the frames
    assert browser.run("viewer.current") == at


def test_axes(show):
    frames = moving((24, 40, 50)).reshape(2, 3, 4, 40, 50)
    coords = {
        "t": (np.arange(2) * 0.5, {"units": "s"}), "z": (np.arange(4) * 1.25, {"units": "um"}),
        "c": ["GFP", "RFP", "BF"], "x": (np.arange(50) * 0.25, {"units": "mm"}),
    }  # fmt: skip
    h5vidstack.pack(frames, "x.h5", dims=("t", "c", "z", "y", "x"), coords=coords)
    browser = show()
    browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")
    assert browser.run("viewer.sliders.length") == 3
    for axis, place in ((0, 1), (1, 2), (2, 3)):
        browser.run(f"(s => {{ s.value = {place}; s.oninput(); }})(viewer.sliders[{axis}].slider)")
    settle(browser, 23)
    np.testing.assert_array_equal(picture(browser, 40, 50)[..., 0], frames[1, 2, 3])
    browser.until("viewer.facts !== null")
    words = browser.text("[data-is=axes]")
    for expected in ("t", "1 / 1 · 0.5 s", "2 / 2 · BF", "3 / 3 · 3.75 um"):
        assert expected in words
    press(browser, "ArrowUp")  # the axis c
    press(browser, "ArrowLeft")
    settle(browser, 19)
    np.testing.assert_array_equal(picture(browser, 40, 50)[..., 0], frames[1, 1, 3])
    browser.run(
        "viewer.pointer = [viewer.stage.origin[0] + 8.5, viewer.stage.origin[1] + 3.5]; viewer.showPixel()"
    )
    assert browser.text("[data-is=pixel]").split() == ["x", "8", "(2", "mm)", "y", "3", "=", str(frames[1, 1, 3, 3, 8])]  # fmt: skip


def test_tiles_of_large_frames(show):
    frames = np.stack(
        [
            np.add.outer(np.arange(3000, dtype="u2"), np.arange(2500, dtype="u2")) * 5,
            np.zeros((3000, 2500), "u2"),
        ]
    )
    h5vidstack.pack(frames, "x.h5", profile="fast")
    browser = show()
    assert browser.run("viewer.stack.tile") == 256
    factor = browser.run("viewer.stage.factor")
    assert factor > 1
    choose(browser, "mode", "range")
    received = browser.run("[...viewer.store.kept.values()].reduce((sum, e) => sum + e.bytes, 0)")
    assert received < 3000 * 2500 * 2 / 4  # the whole frame is never sent
    # Samples of the smaller picture are means.
    name = browser.run("viewer.stage.tileOf(0, 0, viewer.stage.factor).name")
    found = browser.run(f"[...viewer.store.kept.get('0 {name}').samples.slice(0, 40)]")
    assert found == shrink(frames[0], factor)[0, :40].tolist()
    browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")
    settle(browser, 0)
    shown, (left, top) = screen(browser)
    expected = shaded(frames[0, -top : -top + len(shown), -left : -left + shown.shape[1]], 0, 65535)
    np.testing.assert_array_equal(shown[..., 0], expected)
    # The value under the pointer is that of one pixel, also where means are shown.
    browser.run("viewer.zoomed(() => viewer.stage.fit())")
    settle(browser, 0)
    browser.run(
        "viewer.store.kept.clear(); viewer.store.bytes = 0; viewer.pointer = [viewer.stage.canvas.width / 2, viewer.stage.canvas.height / 2]; viewer.showPixel()"
    )
    column, row = browser.run("viewer.stage.pixelAt(...viewer.pointer)")
    browser.until("viewer.at('pixel').textContent.includes('=')")
    assert browser.text("[data-is=pixel]").split("=")[1].strip() == str(frames[0, row, column])


def test_zoom_and_pan(show):
    h5vidstack.pack(moving((2, 400, 500)), "x.h5")
    browser = show()
    before = browser.run("viewer.stage.zoom")
    place = browser.run(
        "(b => [b.left + 300, b.top + 200])(viewer.at('stage').getBoundingClientRect())"
    )
    under = browser.run("viewer.stage.pixelAt(300, 200)")
    browser.ask(
        "Input.dispatchMouseEvent", type="mouseWheel", x=place[0], y=place[1], deltaX=0, deltaY=-600
    )
    browser.until(f"viewer.stage.zoom > {before} * 1.5")
    after = browser.run("viewer.stage.pixelAt(300, 200)")
    assert np.abs(np.subtract(after, under)).max() <= 1
    for kind, x in (("mousePressed", 0), ("mouseMoved", 40), ("mouseReleased", 40)):
        browser.ask(
            "Input.dispatchMouseEvent",
            type=kind,
            x=place[0] + x,
            y=place[1],
            button="left",
            buttons=1,
            clickCount=1,
        )
    moved = browser.run("viewer.stage.pixelAt(340, 200)")
    assert np.abs(np.subtract(moved, after)).max() <= 1
    press(browser, "0")
    assert browser.run("viewer.stage.zoom") == before
    press(browser, "1")
    assert browser.text("[data-is=zoomed]") == "100 %"


def test_time_line_and_similar_frames(show):
    frames = moving((40, 60, 70))[np.random.default_rng(0).permutation(40)]
    frames[[7, 30]] = frames[3]
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    browser = show()
    browser.until("viewer.line.piles !== null && !viewer.at('strip').hidden")
    assert browser.run("viewer.line.piles.length") == 40
    assert browser.run("[...viewer.line.copies].flatMap((c, i) => c ? [i] : [])") == [7, 30]
    box = browser.run(
        "(b => [b.left, b.top, b.width, b.height])(viewer.at('line').getBoundingClientRect())"
    )
    at = {"x": box[0] + box[2] * 7.5 / 40, "y": box[1] + box[3] / 2}
    browser.ask("Input.dispatchMouseEvent", type="mouseMoved", **at)
    assert "frame 7" in browser.text("[data-is=hover]")
    assert "a copy of an earlier one" in browser.text("[data-is=hover]")
    for kind in ("mousePressed", "mouseReleased"):
        browser.ask("Input.dispatchMouseEvent", type=kind, button="left", clickCount=1, **at)
    settle(browser, 7)
    browser.until("viewer.facts !== null")
    assert "frames 3, 30" in " ".join(browser.text("[data-is=frame]").split())
    press(browser, "f")
    browser.until("viewer.at('matches').children.length === 12")
    words = browser.text("[data-is=matches]").split()
    assert words.count("same") == 2
    assert browser.run("viewer.line.likeness.length") == 40
    browser.run("viewer.at('matches').children[0].click()")
    settle(browser, 3)


def test_damaged_frames_are_told(show):
    frames = moving((40, 50, 60))
    h5vidstack.pack(frames, "x.h5", profile="fast", chunk_frames=8)
    with h5py.File("x.h5") as file:
        found = file["stack/groups/000000/video"].id.get_chunk_info(2)
    with open("x.h5", "r+b") as file:
        file.seek(found.byte_offset + found.size // 2)
        byte = file.read(1)
        file.seek(found.byte_offset + found.size // 2)
        file.write(bytes([byte[0] ^ 1]))
    browser = show()
    browser.run("viewer.goTo(17)")
    browser.until("viewer.current === 17")
    assert "Frame 17 cannot be shown" in browser.text("[data-is=broken]")
    assert "frames 16-23" in browser.text("[data-is=broken]")
    browser.run("viewer.goTo(30)")
    settle(browser, 30)
    assert browser.text("[data-is=broken]") == ""
    browser.run("viewer.player.rate = 60; viewer.goTo(12); viewer.player.start()")
    browser.until("viewer.current > 25")  # playing goes on behind them
    press(browser, " ")


def test_a_file_that_changed_is_told(show):
    h5vidstack.pack(moving((400, 150, 160)), "x.h5", profile="fast")
    browser = show()
    os.utime("x.h5", (1, 1))
    browser.run("viewer.goTo(390)")
    browser.until("!viewer.at('banner').hidden")
    assert "changed" in browser.text("[data-is=banner]")
    assert browser.run("viewer.current") == 0


def test_a_server_that_ended_is_told(show, browser):
    h5vidstack.pack(moving((400, 50, 60)), "x.h5")
    with h5vidstack.open("x.h5") as stack:
        with PageServer(Answers(stack)).running() as server:
            browser.go(server.address)
            settle(browser, 0)
        browser.run("viewer.goTo(390)")
        browser.until("!viewer.at('banner').hidden")
        assert "still running" in browser.text("[data-is=banner]")


def test_nothing_is_wider_than_a_phone(show):
    coords = {"time": (np.arange(2) * 1.5, {"units": "seconds"})}
    h5vidstack.pack(
        moving((6, 90, 120)).reshape(2, 3, 90, 120), "x.h5", dims=("time", "a long name", "y", "x"),
        coords=coords,
    )  # fmt: skip
    for width in (340, 390, 600, 900):
        browser = show(width=width, height=800)
        wide = browser.run("document.documentElement.scrollWidth")
        assert wide <= width
        main = browser.run("[viewer.at('main').scrollWidth, viewer.at('main').clientWidth]")
        assert main[0] <= main[1]


def test_the_widget(browser, tmp_path):
    """The one module of the widget shows frames, with a model like Jupyter's."""
    frames = moving((9, 60, 80))
    h5vidstack.pack(frames, "x.h5")
    module = notebook_widget.one_module(notebook_widget.WIDGET)
    style = notebook_widget.files()[notebook_widget.STYLE]
    with h5vidstack.open("x.h5") as stack, PageServer(Answers(stack)).running() as server:
        browser.ask("Page.setBypassCSP", enabled=True)
        browser.go(server.address)  # whose page answers in place of a kernel
        browser.run(
            f"document.head.append(Object.assign(document.createElement('style'), {{textContent: {json.dumps(style)}}}))"
        )
        browser.run(f"window.theModule = {json.dumps(module)}")
        browser.run("""(async () => {
            const ask = window.viewer.ask;
            window.viewer.end();
            const handlers = {};
            const values = {height: 480, frame: 4};
            const model = {
                get: (name) => values[name],
                set(name, value) {
                    values[name] = value;
                    handlers[`change:${name}`]?.();
                },
                save_changes: () => (model.saved = values.frame),
                on: (event, handle) => (handlers[event] = handle),
                off: (event) => delete handlers[event],
                async send({id, question}) {
                    const {facts, buffer, offset} = await ask(question);
                    const odd = new Uint8Array(buffer.byteLength - offset + 1);
                    odd.set(new Uint8Array(buffer, offset), 1);
                    handlers['msg:custom']({id, facts: JSON.stringify(facts)}, [new DataView(odd.buffer, 1)]);
                },
            };
            document.body.dataset.jpThemeLight = 'false';
            const source = new Blob([window.theModule], {type: 'text/javascript'});
            const {default: widget} = await import(URL.createObjectURL(source));
            const el = document.createElement('div');
            document.body.replaceChildren(el);
            window.end = widget.render({model, el});
            window.viewer = el.viewer;
            Object.assign(window, {model, handlers, values});
            await window.viewer.opened;
        })()""")
        settle(browser, 4)
        assert browser.run("viewer.root.dataset.theme") == "dark"
        browser.run("viewer.zoomed(() => viewer.stage.zoomTo(1))")
        np.testing.assert_array_equal(picture(browser, 60, 80)[..., 0], frames[4])
        press(browser, "ArrowRight", on="viewer.at('stage')")
        settle(browser, 5)
        assert browser.run("model.saved") == 5
        browser.run("values.frame = 2; handlers['change:frame']()")
        settle(browser, 2)
        np.testing.assert_array_equal(picture(browser, 60, 80)[..., 0], frames[2])
        browser.run("viewer.player.rate = 60; viewer.player.start()")
        browser.until("viewer.current === 7")
        assert browser.run("model.saved") == 5  # it is told where playing ends
        browser.run("viewer.player.stop()")
        at = browser.run("viewer.current")
        assert browser.run("model.saved") == at
        browser.ask("Page.setBypassCSP", enabled=False)
        browser.run("end()")
        assert browser.run("Object.keys(handlers)") == []
