import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving, noise
from PIL import Image

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generate_uint8

FRAMES = np.concatenate([generate_uint8((4, 4, 4), (40, 56)), noise((6, 40, 56))])


def run(*arguments):
    return CliRunner().invoke(main, list(map(str, arguments)))


@pytest.mark.parametrize(
    "frames", [FRAMES, moving((40, 9, 12, 3)), noise((5, 1, 1)), moving((3, 700, 20, 4))]
)
def test_contact_sheet(frames):
    report = h5vidstack.pack(frames, "x.h5", method="groupvideo", chunk_frames=3)
    done = run("contact-sheet", "x.h5", "out.png", "--size", 64)
    assert done.exit_code == 0, done.output
    assert f"drew {report.piles} pile" in done.output
    with Image.open("out.png") as sheet:
        pixels = np.asarray(sheet.convert("RGB"))
    assert len(np.unique(pixels.reshape(-1, 3), axis=0)) > 2
    assert run("contact-sheet", "x.h5", "out.png").exit_code == 1
    assert run("contact-sheet", "x.h5", "out.png", "--overwrite", "--rows", 1).exit_code == 0
    assert "no ending of a picture" in run("contact-sheet", "x.h5", "out").output
    assert "format" in run("contact-sheet", "x.h5", "out.mpeg").output


def test_contact_sheet_shows_the_frames():
    frames = np.repeat(np.arange(0, 250, 25, dtype=np.uint8), 400).reshape(10, 20, 20)
    h5vidstack.pack(frames, "x.h5", method="groupvideo")
    with h5vidstack.open("x.h5") as stack:
        pile = stack.groups[0]
        from h5vidstack.sinks.contact_sheet import draw_sheet

        draw_sheet(stack, "out.png", edge=60)
    with Image.open("out.png") as sheet:
        shown = {sheet.getpixel((x, y))[0] for x in range(150, sheet.width) for y in (70, 75, 80)}
    for number in (pile.frames[0], pile.typical, pile.frames[-1]):
        assert int(frames[number, 0, 0]) in shown
