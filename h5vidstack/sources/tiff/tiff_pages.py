"""Which pages of a TIFF are a series, and whether the data of a page are whole."""

from __future__ import annotations

import math
from typing import Any

from ...errors import SourceError

PATCHED = ("lsm", "ndpi")
"""Kinds whose pages tifffile mends when it opens the file, so they must not be read again."""
JPEG = {6, 7, 34892}
"""Compression by JPEG, as TIFF numbers it."""


def load_tifffile() -> Any:
    """Import tifffile, which is done only for TIFFs because it takes long."""
    import tifffile

    return tifffile


def all_series(tiff: Any) -> list[Any]:
    """Return the series of a file; pages that differ are series of their own."""
    try:
        series = tiff.series
    except RuntimeError:  # pages that looked alike differ
        tiff.is_uniform = False
        series = tiff.series
    alike: dict[Any, list[Any]] = {}
    for one in series:
        key = one.keyframe
        # Pages that only differ in compression or strips are one series.
        kind = (key.shaped, key.axes, key.dtype, key.photometric, key.extrasamples, key.subfiletype)
        alike.setdefault(kind if one.kind == "generic" else id(one), []).append(one)
    return [_join(same) for same in alike.values()]


def _join(series: list[Any]) -> Any:
    """Make one series of several, with the pages in their order in the file."""
    if len(series) == 1:
        return series[0]
    pages = sorted((page for one in series for page in one), key=lambda page: page.treeindex)
    shape = (len(pages), *pages[0].shape)
    return load_tifffile().TiffPageSeries(
        pages, shape, pages[0].dtype, f"I{pages[0].axes}", kind="generic"
    )


def is_thumbnail(series: Any) -> bool:
    """Return whether a series is a reduced image or a mask."""
    return bool(series.keyframe.is_reduced or series.keyframe.is_mask)


def page_count(series: Any) -> int:
    """Return how many pages a series has, or planes that stand for pages."""
    return int(math.prod(series.get_shape(False)) // math.prod(series.keyframe.shape))


def own_pages(series: Any, tiff: Any) -> int:
    """Return how many pages of a file's own chain belong to a series."""
    if series.keyframe.is_subifd:
        return 0
    if series.is_multifile:
        return sum(page is not None and page.parent is tiff for page in series)
    return min(len(series), page_count(series))


def check_segments(page: Any, kind: str) -> bool:
    """Refuse a page if the file lacks its data; return whether some were never written."""
    size = page.parent.filehandle.size
    offsets, counts = page.dataoffsets, page.databytecounts
    key = page.keyframe
    if key.is_contiguous:
        needed, start = math.prod(key.shaped) * key.dtype.itemsize, offsets[0]
        if not start:
            raise SourceError("its pixels were never written")
        if start + needed > size:
            raise SourceError(
                f"it ends at byte {start + needed}, but the file at {size}: it was cut short"
            )
        if sum(counts) < needed and kind not in ("stk", *PATCHED):
            raise SourceError(f"its strips hold {sum(counts)} of the {needed} bytes that it needs")
        return False
    needed = math.prod(key.chunked)
    if min(len(offsets), len(counts)) < needed:
        raise SourceError(f"it has {min(len(offsets), len(counts))} of {needed} strips or tiles")
    jpeg = int(key.compression) in (7, 34892) and key.jpegheader is None
    empty = False
    for number, (start, count) in enumerate(zip(offsets[:needed], counts[:needed], strict=True)):
        if not (start and count):
            empty = True
        elif start + count > size:
            raise SourceError(
                f"strip or tile {number} ends at byte {start + count}, but the file at {size}: it "
                "was cut short"
            )
        elif jpeg and not _ends_as_jpeg(page.parent.filehandle, start, count):
            raise SourceError(f"strip or tile {number} is a JPEG without its end")
    return empty


def would_be_transformed(key: Any) -> bool:
    """Return whether a decoder of JPEG would change samples though they need no change."""
    if int(key.compression) not in JPEG or int(key.planarconfig) != 1 or key.samplesperpixel == 1:
        return False
    lossless, adobe = _jpeg_heads(key)
    if lossless:
        return False
    if key.samplesperpixel == 3:
        return bool(int(key.photometric) not in (2, 6) or key.extrasamples)
    return adobe


def _jpeg_heads(key: Any) -> tuple[bool, bool]:
    """Return whether a page's first JPEG is lossless, and whether it asks to change colours."""
    file = key.parent.filehandle
    heads, lossless, adobe = [key.jpegtables or b""], False, False
    for start, count in zip(key.dataoffsets, key.databytecounts, strict=False):
        if start and count:
            file.seek(start)
            heads.append(file.read(min(count, 1 << 16)))
            break
    for head in heads:
        at = 2
        while head[at : at + 1] == b"\xff" and head[at + 1 : at + 2] not in (b"\xda", b""):
            mark, length = head[at + 1], int.from_bytes(head[at + 2 : at + 4], "big")
            lossless = lossless or mark == 0xC3
            if mark == 0xEE and head[at + 4 : at + 9] == b"Adobe":
                adobe = head[at + 15 : at + 16] != b"\0"
            at += 1 if mark == 0xFF else 2 + length
    return lossless, adobe


def _ends_as_jpeg(file: Any, start: int, count: int) -> bool:
    """Return whether the end marker of JPEG is among the last bytes."""
    tail = min(count, 64)  # a few bytes may follow the end marker
    file.seek(start + count - tail)
    return b"\xff\xd9" in file.read(tail)
