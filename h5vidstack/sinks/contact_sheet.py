"""The contact sheet of a stack: the first, typical and last frame of each pile as one picture."""

from __future__ import annotations

import os
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from ..errors import OutputError
from ..layout.output import complete_or_absent
from ..reading.groups import Group
from ..reading.stack_reader import StackReader
from ..shapes import Pixels
from ..similar.fingerprints import to_8bit
from ..sources.overlap import refuse_source
from ..text import shape_text

MARGIN = 12
TEXT = 14
"""The size of letters in pixels."""
LABEL_WIDTH = 150
COLUMN_WIDTH = 130
"""The least width of a column, which has room for the number of a frame."""
BACKGROUND, INK, FAINT = "#ffffff", "#1a1a1a", "#707070"
MAX_ROWS = 100


def draw_sheet(
    stack: StackReader,
    path: str | os.PathLike[str],
    *,
    edge: int = 192,
    max_rows: int = MAX_ROWS,
    overwrite: bool = False,
) -> int:
    """Draw a row for each pile: its first, typical and last frame with their numbers.

    Parameters
    ----------
    stack
        The stack.
    path
        The picture to make; its ending names the format (``.png``).
    edge
        Longest edge of a small picture, in pixels, at least 16.
    max_rows
        The most piles to draw. If there are more, only the largest ones are drawn.
    overwrite
        Replace an existing picture.

    Returns
    -------
    int
        The number of piles that were drawn.

    Raises
    ------
    OutputError
        If the picture exists, cannot be written, or has no known ending.
    """
    target = Path(path)
    Image.init()
    if target.suffix.lower() not in Image.EXTENSION:
        raise OutputError(f"{target} has no ending of a picture format; name it {target.stem}.png")
    if edge < 16 or max_rows < 1:
        raise OutputError(
            f"edge is {edge} and max_rows is {max_rows}; they must be at least 16 and 1"
        )
    refuse_source(target, stack.path)
    piles, total = largest_piles(stack, max_rows)
    with complete_or_absent(target, overwrite=overwrite) as temporary:
        sheet = _draw(stack, piles, total, edge)
        try:
            sheet.save(temporary, format=Image.EXTENSION[target.suffix.lower()])
        except (ValueError, KeyError) as error:
            raise OutputError(f"cannot write {target} in that format: {error}") from error
    return len(piles)


def largest_piles(stack: StackReader, most: int) -> tuple[list[Group], int]:
    """Return the largest piles of a stack, at most so many, by number; and how many it has."""
    piles = [pile for pile in stack.groups if len(pile.frames)]
    largest = sorted(piles, key=lambda pile: len(pile.frames), reverse=True)[:most]
    return sorted(largest, key=lambda pile: pile.number), len(piles)


def telling_frames(pile: Group) -> dict[str, int]:
    """Return the numbers of the frames that show what is in a pile."""
    columns = {"first": pile.frames[0], "typical": pile.typical, "last": pile.frames[-1]}
    return {name: int(frame) for name, frame in columns.items()}


def _draw(stack: StackReader, piles: list[Group], total: int, edge: int) -> Image.Image:
    font = ImageFont.load_default(TEXT)
    line = TEXT + 4
    # A row also has room for its label, which is three lines of text.
    row_height = max(3 * line, _small_size(stack.shape[1], stack.shape[2], edge)[1] + line) + MARGIN
    column_width = max(edge, COLUMN_WIDTH) + MARGIN
    width = LABEL_WIDTH + 3 * column_width + MARGIN
    top = 2 * line + 2 * MARGIN
    sheet = Image.new("RGB", (width, top + len(piles) * row_height + MARGIN), BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    shape = shape_text(stack.shape)
    shown = (
        f"{len(piles)} of {total} piles, the largest" if len(piles) < total else f"piles: {total}"
    )
    title = f"{os.path.basename(stack.path)}{stack.stack}"
    while font.getlength(title) > width - 2 * MARGIN:
        title = f"...{title[4:]}"  # the end of a path says more than its beginning
    draw.text((MARGIN, MARGIN), title, INK, font)
    draw.text((MARGIN, MARGIN + line), f"{shape} {stack.dtype}, {shown}", FAINT, font)
    for row, pile in enumerate(piles):
        y = top + row * row_height
        ratio = f"ratio {pile.ratio:.1f}" if pile.ratio else ""
        for number, text in enumerate(
            [f"pile {pile.number}", f"{len(pile.frames):,} frames", ratio]
        ):
            draw.text((MARGIN, y + number * line), text, FAINT if number else INK, font)
        for column, (name, frame) in enumerate(telling_frames(pile).items()):
            x = LABEL_WIDTH + column * column_width
            picture = small(stack[frame], edge)
            sheet.paste(picture, (x, y))
            draw.text((x, y + picture.height + 2), f"{name}: {frame}", FAINT, font)
    return sheet


def _small_size(height: int, width: int, edge: int) -> tuple[int, int]:
    """Return the width and height of a small picture.

    A frame that is larger is shrunk; a smaller one is enlarged by a whole number.
    """
    scale = edge / max(height, width)
    scale = int(scale) if scale >= 1 else scale
    return max(1, round(width * scale)), max(1, round(height * scale))


def small(frame: Pixels, edge: int) -> Image.Image:
    """Return a frame as a small picture.

    Parameters
    ----------
    edge
        The longest edge of the picture, in pixels.
    """
    image = Image.fromarray(to_8bit(frame)).convert("RGB")
    larger = edge >= max(image.size)
    how = Image.Resampling.NEAREST if larger else Image.Resampling.LANCZOS
    return image.resize(_small_size(image.height, image.width, edge), how)
