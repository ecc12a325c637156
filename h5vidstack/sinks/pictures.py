"""Pictures of what a stack gives back: principal components, and frames beside their input."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..care import fidelity
from ..errors import OutputError
from ..layout.output import complete_or_absent
from ..shapes import Pixels
from ..sources.overlap import refuse_source
from ..sources.source import DEFAULT_OPTIONS, SourceOptions
from .contact_sheet import BACKGROUND, FAINT, INK, MARGIN, TEXT, small

COLUMNS = 5
EDGE = 240
"""The longest edge of a picture, in pixels."""
TITLE_WIDTH = 180
"""The least width of a column, which has room for a caption."""


def draw(
    path: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    found: fidelity.Fidelity,
    against: Any = None,
    *,
    options: SourceOptions = DEFAULT_OPTIONS,
    overwrite: bool = False,
) -> list[str]:
    """Draw what `check` found.

    Parameters
    ----------
    folder
        The folder for the pictures; it is made if it does not exist. A PCA gets
        ``components.png``. If `against` is given, ``worst.png`` and ``typical.png`` show frames
        beside their input.
    found
        What `check` returned for the same stack and input.
    against
        The input of the stack.
    options
        How the input is read.
    overwrite
        Replace existing pictures.

    Returns
    -------
    list of str
        The paths of the pictures.

    Raises
    ------
    OutputError
        If there is nothing to draw, or a picture exists already or cannot be written.
    """
    tiles = pieces(path, found, against, options=options)
    if not tiles:
        raise OutputError(f"{path} has no components; to draw frames, give --against their input")
    made = []
    os.makedirs(folder, exist_ok=True)
    targets = {name: Path(folder) / f"{name}.png" for name in tiles}
    for target in targets.values():
        refuse_source(target, path)
        refuse_source(target, against)
    for name, images in tiles.items():
        target = targets[name]
        with complete_or_absent(target, overwrite=overwrite) as temporary:
            _sheet(images, f"{os.path.basename(os.fsdecode(path))}: {name}").save(temporary, "PNG")
        made.append(str(target))
    return made


def pieces(
    path: str | os.PathLike[str],
    found: fidelity.Fidelity,
    against: Any = None,
    *,
    options: SourceOptions = DEFAULT_OPTIONS,
) -> dict[str, list[tuple[str, Pixels]]]:
    """Return the images of each picture that `draw` makes, with captions; see `draw`."""
    tiles: dict[str, list[tuple[str, Pixels]]] = {}
    pca = fidelity.components(path)
    if pca is not None:
        mean, images = pca
        ratios = found.explained_variance_ratio or [math.nan] * len(images)
        tiles["components"] = [("mean", mean)] + [
            (f"{number}: {share:.2%}", _centred(image))
            for number, (image, share) in enumerate(zip(images, ratios, strict=True))
        ]
    for name, number in (("worst", found.worst), ("typical", found.typical)):
        if number is not None:
            given, got, apart = fidelity.triple(path, against, number, options)
            most = float(np.abs(apart).max())
            tiles[name] = [
                (f"input, frame {number}", given),
                ("recovered", got),
                (f"difference, up to {most:.3g}", _centred(apart)),
            ]
    return tiles


def _centred(image: Pixels) -> Pixels:
    """Return an image of signed numbers in 8 bits: 0 is gray, the largest is black or white."""
    wide = image.astype(np.float64)
    most = float(np.abs(wide).max())
    scaled = wide / most if most else wide
    levels: Pixels = np.rint(128 + 127 * scaled).astype(np.uint8)
    return levels


def _sheet(images: list[tuple[str, Pixels]], title: str) -> Image.Image:
    """Draw images in rows, each over its caption."""
    font, line = ImageFont.load_default(TEXT), TEXT + 6
    pictures = [small(image, EDGE) for _, image in images]
    width = max(max(picture.width for picture in pictures), TITLE_WIDTH) + MARGIN
    height = max(picture.height for picture in pictures) + line + MARGIN
    columns = min(COLUMNS, len(images))
    rows = math.ceil(len(images) / columns)
    top = line + 2 * MARGIN
    sheet = Image.new("RGB", (MARGIN + columns * width, top + rows * height), BACKGROUND)
    pen = ImageDraw.Draw(sheet)
    pen.text((MARGIN, MARGIN), title, INK, font)
    for number, ((caption, _), picture) in enumerate(zip(images, pictures, strict=True)):
        row, column = divmod(number, columns)
        x, y = MARGIN + column * width, top + row * height
        sheet.paste(picture, (x, y))
        pen.text((x, y + picture.height + 2), caption, FAINT, font)
    return sheet
