"""TIFF files by tifffile, libtiff (through Pillow and OpenCV) and by hand; libtiff reads them."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import cv2
import imagecodecs
import numpy as np
import tifffile
from PIL import Image

from . import tiny_tiff
from .core import Case, Unwritable, product, samples, title

SHAPE = (2, 19, 22)
PREDICTABLE = {"lzw", "deflate", "zstd", "lzma"}


def cases() -> Iterator[Case]:
    """All of them."""
    for group in (_storage, _more_codecs, _packed, _meanings, _orientations, _layouts):
        yield from group()
    for group in (_by_pillow, _by_opencv, _refused):
        yield from group()


def libtiff(path: Path, *, planar: bool = False) -> Any:
    """All pages by libtiff, which gives planes of samples before rows."""
    pages = imagecodecs.tiff_decode(path.read_bytes(), index=None)
    with tifffile.TiffFile(path) as tiff:
        pages = pages if len(tiff.pages) > 1 else pages[None]
    return np.moveaxis(pages, 1, -1) if planar else pages


def _written(path: Path, frames: Any, **how: Any) -> None:
    try:
        tifffile.imwrite(path, frames, **how)
    except (ValueError, TypeError, KeyError, RuntimeError, NotImplementedError) as error:
        raise Unwritable from error


def _case(
    name: str, frames: Any, how: Mapping[str, Any], *, refusal: bool = False, known: bool = True
) -> Case:
    def make(folder: Path) -> tuple[Path, list[Any]]:
        path = folder / "x.tif"
        _written(path, frames, **how)
        planar = how.get("planarconfig") == "separate"
        truth = np.moveaxis(frames, 1, -1) if planar else frames
        inks = how.get("photometric") == "separated"  # of which imagecodecs makes RGB
        bits = frames.dtype == bool and how["compression"] == "packbits"  # which it gets wrong
        second = None if inks or bits else lambda: libtiff(path, planar=planar)
        return path, [*([truth] if known else []), second]

    return Case("TIFF", name, make, refusal=refusal)


def _storage() -> Iterator[Case]:
    for row in product(
        dtype=["?", "u1", "u2", "u4", "u8", "i1", "i2", "i4", "i8", "f2", "f4", "f8"],
        order=["<", ">"],
        codec=[None, "lzw", "deflate", "packbits", "zstd", "lzma"],
        predictor=[False, 2, 3],
        planar=["contig", "separate"],
        tiled=[False, True],
        samples=[1, 2, 3, 4, 5],
    ):
        kind, count = row["dtype"][0], row["samples"]
        floats = kind == "f"
        if row["predictor"] and row["codec"] not in PREDICTABLE:
            continue
        if (row["predictor"] == 2 and kind in "f?") or (row["predictor"] == 3 and not floats):
            continue
        if count == 1 and row["planar"] == "separate":
            continue
        # tifffile packs 8 pixels of a channel, then 8 of the next, and does not read that itself:
        # bits of channels side by side are written by hand, in `_packed`.
        if kind == "?" and count > 1 and row["planar"] == "contig":
            continue
        shape = SHAPE if count == 1 else (*SHAPE, count)
        frames = samples(shape, row["dtype"])
        colour = "rgb" if count in (3, 4) and kind == "u" else "minisblack"
        how = {
            "photometric": colour, "byteorder": row["order"], "compression": row["codec"],
            "predictor": row["predictor"] or None, "tile": (16, 16) if row["tiled"] else None,
        }  # fmt: skip
        if count > 1:
            how["planarconfig"] = row["planar"]
            spare = count - (3 if colour == "rgb" else 1)
            how["extrasamples"] = ("unassalpha",) * spare if colour == "rgb" else (0,) * spare
        if row["planar"] == "separate":
            frames = np.ascontiguousarray(np.moveaxis(frames, -1, 1))
        yield _case(f"storage {title(row)}", frames, how, refusal=count in (2, 5))


def _more_codecs() -> Iterator[Case]:
    """Codecs that few programs write; lossy ones are what libtiff makes of them."""
    for row in product(
        codec=["jpeg", "webp", "lerc", "jpeg2000", "jpegxl", "png", "jpegxr", "pixarlog"],
        dtype=["u1", "u2", "f4"],
        samples=[1, 3, 4],
        tiled=[False, True],
        order=["<", ">"],
    ):
        if row["codec"] == "jpeg2000" and row["order"] == ">" and row["dtype"] != "u1":
            continue  # tifffile encodes values with their bytes swapped
        if row["codec"] in ("jpegxr", "lerc") and row["dtype"] == "f4":
            continue  # lossy, if only for what is no number, and no second decoder has it
        if row["codec"] == "jpeg" and row["dtype"] == "u2" and row["samples"] > 1:
            continue
        shape = SHAPE if row["samples"] == 1 else (*SHAPE, row["samples"])
        how = {
            "photometric": "minisblack" if row["samples"] == 1 else "rgb",
            "compression": row["codec"], "byteorder": row["order"],
            "tile": (16, 16) if row["tiled"] else None,
        }  # fmt: skip
        lossless = {
            "webp": {"lossless": True}, "jpeg2000": {"reversible": True, "level": 0},
            "jpegxl": {"lossless": True}, "jpegxr": {"level": 1.0},
        }  # fmt: skip
        how["compressionargs"] = lossless.get(row["codec"], {})
        frames = samples(shape, row["dtype"])
        known = row["codec"] not in ("jpeg", "pixarlog")
        yield _case(f"codec {title(row)}", frames, how, refusal=True, known=known)


def _packed() -> Iterator[Case]:
    """1 to 16 bits a sample, packed without gaps, in strips of any codec."""
    codecs: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
        "none": (1, bytes), "deflate": (8, zlib.compress), "lzw": (5, imagecodecs.lzw_encode),
        "packbits": (32773, imagecodecs.packbits_encode), "zstd": (50000, imagecodecs.zstd_encode),
    }  # fmt: skip
    for row in product(
        bits=[*range(1, 17)], codec=codecs, order=["<", ">"], rows=[1, 7, 19], big=[False, True],
        white=[False, True], samples=[1, 3], filled=[1, 2],
    ):  # fmt: skip
        bits, count = row["bits"], row["samples"]
        if (row["white"] and count > 1) or (row["filled"] == 2 and row["codec"] != "none"):
            continue
        if row["filled"] == 2 and bits not in (1, 8):
            continue
        shape = SHAPE if count == 1 else (*SHAPE, count)
        frames = samples(shape, "u1" if bits <= 8 else "u2", bits)
        number, encode = codecs[row["codec"]]
        tags = {
            tiny_tiff.WIDTH: [SHAPE[2]], tiny_tiff.LENGTH: [SHAPE[1]],
            tiny_tiff.BITS: [bits] * count, tiny_tiff.COMPRESSION: [number],
            tiny_tiff.PHOTOMETRIC: [2 if count > 1 else int(not row["white"])],
            tiny_tiff.SAMPLES: [count], tiny_tiff.ROWS_PER_STRIP: [row["rows"]],
        }  # fmt: skip
        if row["filled"] == 2:
            tags[tiny_tiff.FILL_ORDER] = [2]
        yield _by_hand(f"packed {title(row)}", frames, bits, tags, encode, row)


def _by_hand(
    name: str, frames: Any, bits: int, tags: dict[int, Any], encode: Any, row: Mapping[str, Any]
) -> Case:
    def make(folder: Path) -> tuple[Path, list[Any]]:
        path = folder / "x.tif"
        reverse = imagecodecs.bitorder_encode if row["filled"] == 2 else bytes
        pages = []
        for frame in frames:
            rows = [_packed_row(line.ravel(), bits, row["order"]) for line in frame]
            strips = tiny_tiff.strips(rows, row["rows"], encode)
            pages.append((tags, [bytes(reverse(strip)) for strip in strips]))
        tiny_tiff.write(path, pages, row["order"], row["big"])
        truth = frames.astype(bool) if bits == 1 else frames
        plain = bits in (8, 16) or (bits == 1 and row["samples"] == 1)
        return path, [truth, (lambda: libtiff(path)) if plain else None]

    return Case("TIFF", name, make)


def _packed_row(values: Any, bits: int, order: str) -> bytes:
    if bits in (8, 16):
        return bytes(values.astype(f"{order}u{bits // 8}").tobytes())
    wide = np.unpackbits(values.astype(">u2").view(np.uint8)).reshape(-1, 16)
    return bytes(np.packbits(wide[:, 16 - bits :]).tobytes())


def _meanings() -> Iterator[Case]:
    """What samples mean: they are kept as stored, and colours of a palette are refused or made."""
    for row in product(
        meaning=["minisblack", "miniswhite", "cfa", "separated", "cielab", "palette"],
        dtype=["?", "u1", "u2", "u4", "f4"], codec=[None, "deflate"], order=["<", ">"],
        tiled=[False, True],
    ):  # fmt: skip
        count = {"separated": 4, "cielab": 3}.get(row["meaning"], 1)
        if count > 1 and row["dtype"] == "?":
            continue
        frames = samples(SHAPE if count == 1 else (*SHAPE, count), row["dtype"])
        how = {
            "photometric": row["meaning"], "compression": row["codec"], "byteorder": row["order"],
            "tile": (16, 16) if row["tiled"] else None,
        }  # fmt: skip
        if row["meaning"] == "palette":
            if row["dtype"] not in ("u1", "u2"):
                continue
            size = 256 if row["dtype"] == "u1" else 65536
            how["colormap"] = samples((1, 3, size), "u2")[0]
        refusal = row["meaning"] in ("palette", "separated", "cielab", "cfa")
        yield _case(f"meaning {title(row)}", frames, how, refusal=refusal)
    for row in product(alpha=["assocalpha", "unassalpha", "unspecified"], dtype=["u1", "u2", "f4"],
                       samples=[2, 4, 5], planar=["contig", "separate"]):  # fmt: skip
        frames = samples((*SHAPE, row["samples"]), row["dtype"])
        colour = "minisblack" if row["samples"] == 2 else "rgb"
        spare = row["samples"] - (1 if colour == "minisblack" else 3)
        how = {"photometric": colour, "compression": None, "extrasamples": (row["alpha"],) * spare,
               "planarconfig": row["planar"]}  # fmt: skip
        if row["planar"] == "separate":
            frames = np.ascontiguousarray(np.moveaxis(frames, -1, 1))
        yield _case(f"meaning {title(row)}", frames, how, refusal=row["samples"] != 4)


def _orientations() -> Iterator[Case]:
    for row in product(orientation=range(1, 9), dtype=["u1", "u2", "f4"], samples=[1, 3],
                       codec=[None, "lzw"]):  # fmt: skip
        frames = samples(SHAPE if row["samples"] == 1 else (*SHAPE, 3), row["dtype"])
        how = {
            "photometric": "minisblack" if row["samples"] == 1 else "rgb",
            "compression": row["codec"],
            "extratags": [(tiny_tiff.ORIENTATION, 3, 1, row["orientation"], False)],
        }
        yield _case(f"orientation {title(row)}", frames, how)


def _layouts() -> Iterator[Case]:
    for row in product(
        layout=[*LAYOUTS], dtype=["u1", "u2", "i2", "f4"], order=["<", ">"], big=[False, True],
        codec=[None, "deflate"],
    ):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Any, list[Any]]:
            how = {"byteorder": row["order"], "bigtiff": row["big"], "compression": row["codec"]}
            try:
                return LAYOUTS[row["layout"]](folder, row["dtype"], how)
            except (ValueError, TypeError) as error:
                raise Unwritable from error

        several = row["layout"] in ("two sizes", "two dtypes")
        yield Case("TIFF", f"layout {title(row)}", make, refusal=several)


def _imagej(folder: Path, dtype: str, how: Any, shape: tuple[int, ...], axes: str) -> Any:
    how = {name: value for name, value in how.items() if name != "bigtiff" or not value}
    if len(how) < 2 or how.get("bigtiff") is None:
        raise Unwritable
    frames = samples(shape, dtype)
    tifffile.imwrite(folder / "x.tif", frames, imagej=True, metadata={"axes": axes}, **how)
    leading = -3 if axes.endswith("S") else -2
    return folder / "x.tif", [frames.reshape(-1, *shape[leading:])]


def _imagej_one_page(folder: Path, dtype: str, how: Any) -> Any:
    if how["compression"] or how["bigtiff"]:
        raise Unwritable
    frames = samples((5, 19, 22), dtype)
    frames = frames.astype(frames.dtype.newbyteorder(how["byteorder"]))
    text = "ImageJ=1.54f\nimages=5\nslices=5\nloop=false\n"
    tifffile.imwrite(folder / "x.tif", frames[0], description=text, metadata=None,
                     photometric="minisblack", **how)  # fmt: skip
    with (folder / "x.tif").open("ab") as file:
        file.write(frames[1:].tobytes())
    return folder / "x.tif", [frames]


def _ome(folder: Path, dtype: str, how: Any, shape: tuple[int, ...], axes: str) -> Any:
    frames = samples(shape, dtype)
    tifffile.imwrite(folder / "x.ome.tif", frames, ome=True, photometric="minisblack",
                     metadata={"axes": axes}, **how)  # fmt: skip
    return folder / "x.ome.tif", [frames.reshape(-1, *shape[-2:])]


def _ome_of_two_files(folder: Path, dtype: str, how: Any) -> Any:
    frames = samples((2, 3, 19, 22), dtype)
    kind = {"u1": "uint8", "u2": "uint16", "i2": "int16", "f4": "float"}[dtype]
    ids = ["urn:uuid:11111111-1111-1111-1111-111111111111",
           "urn:uuid:22222222-2222-2222-2222-222222222222"]  # fmt: skip
    data = "".join(
        f'<TiffData FirstC="{c}" FirstT="{t}" FirstZ="0" IFD="{t}" PlaneCount="1">'
        f'<UUID FileName="c{c}.ome.tif">{ids[c]}</UUID></TiffData>'
        for c in range(2) for t in range(3)
    )  # fmt: skip
    for c in range(2):
        text = (
            '<?xml version="1.0" encoding="UTF-8"?>'
            '<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
            f'UUID="{ids[c]}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYZTC" '
            f'Type="{kind}" SizeX="22" SizeY="19" SizeZ="1" SizeC="2" SizeT="3">'
            f'<Channel ID="Channel:0:0"/><Channel ID="Channel:0:1"/>{data}</Pixels></Image></OME>'
        )
        tifffile.imwrite(folder / f"c{c}.ome.tif", frames[c], description=text, metadata=None,
                         photometric="minisblack", **how)  # fmt: skip
    return folder / "c0.ome.tif", [frames.reshape(-1, 19, 22)]


def _volume(folder: Path, dtype: str, how: Any) -> Any:
    frames = samples((5, 19, 22), dtype)
    tifffile.imwrite(folder / "x.tif", frames, volumetric=True, photometric="minisblack",
                     tile=(2, 16, 16), **how)  # fmt: skip
    return folder / "x.tif", [frames]


def _pyramid(folder: Path, dtype: str, how: Any) -> Any:
    big = how.pop("bigtiff")
    order = how.pop("byteorder")
    frames = samples((1, 64, 80), dtype)
    with tifffile.TiffWriter(folder / "x.tif", bigtiff=big, byteorder=order) as tiff:
        how = {**how, "photometric": "minisblack", "tile": (16, 16)}
        tiff.write(frames[0], subifds=2, **how)
        for step in (2, 4):
            tiff.write(frames[0, ::step, ::step], subfiletype=1, **how)
    return folder / "x.tif", [frames]


def _thumbnail(folder: Path, dtype: str, how: Any) -> Any:
    frames = samples((3, 19, 22), dtype)
    with tifffile.TiffWriter(
        folder / "x.tif", bigtiff=how.pop("bigtiff"), byteorder=how.pop("byteorder")
    ) as tiff:
        how = {**how, "photometric": "minisblack", "metadata": None}
        for frame in frames:
            tiff.write(frame, **how)
        tiff.write(frames[0, ::2, ::2], subfiletype=1, **how)
    return folder / "x.tif", [frames]


def _singly(folder: Path, dtype: str, how: Any, *pages: Any) -> Any:
    order, big = how.pop("byteorder"), how.pop("bigtiff")
    with tifffile.TiffWriter(folder / "x.tif", bigtiff=big, byteorder=order) as tiff:
        for page in pages:
            tiff.write(page, photometric="minisblack", metadata=None, **how)
    one_kind = len({(page.shape, page.dtype) for page in pages}) == 1
    path = folder / "x.tif"
    return path, [np.stack(pages), lambda: libtiff(path)] if one_kind else []


def _chosen(folder: Path, dtype: str, how: Any) -> Any:
    """The second of two series, by its number."""
    pages = samples((1, 19, 22), dtype)[0], samples((1, 20, 22), dtype)[0]
    path, _ = _singly(folder, dtype, how, *pages)
    return f"{path}::/1", [pages[1][None], lambda: _page(path, 1)]


def _each_page(folder: Path, dtype: str, how: Any) -> Any:
    """All pages, though metadata make planes of channels of them."""
    (path, truths), inner = _ome(folder, dtype, how, (2, 3, 19, 22), "CZYX"), "/pages"
    return f"{path}::{inner}", [*truths, lambda: libtiff(path)]


def _page(path: Path, number: int) -> Any:
    return imagecodecs.tiff_decode(path.read_bytes(), index=number)[None]


def _appended(folder: Path, dtype: str, how: Any) -> Any:
    frames = samples((6, 19, 22), dtype)
    how["photometric"] = "minisblack"
    tifffile.imwrite(folder / "x.tif", frames[0], metadata=None, **how)
    for frame in frames[1:]:
        tifffile.imwrite(folder / "x.tif", frame, append=True, metadata=None, **how)
    return folder / "x.tif", [frames, lambda: libtiff(folder / "x.tif")]


def _folder(folder: Path, dtype: str, how: Any) -> Any:
    frames = samples((12, 19, 22), dtype)
    (folder / "in").mkdir()
    for number, frame in enumerate(frames):
        tifffile.imwrite(folder / "in" / f"f{number}.tif", frame, photometric="minisblack", **how)
    return folder / "in", [frames]


LAYOUTS: dict[str, Callable[[Path, str, Any], Any]] = {
    "imagej ZYX": lambda f, d, h: _imagej(f, d, h, (4, 19, 22), "ZYX"),
    "imagej TZCYX": lambda f, d, h: _imagej(f, d, h, (2, 3, 2, 19, 22), "TZCYX"),
    "imagej TYXS": lambda f, d, h: _imagej(f, d, h, (3, 19, 22, 3), "TYXS"),
    "imagej one page": _imagej_one_page,
    "ome TYX": lambda f, d, h: _ome(f, d, h, (4, 19, 22), "TYX"),
    "ome TZCYX": lambda f, d, h: _ome(f, d, h, (2, 3, 2, 19, 22), "TZCYX"),
    "ome of two files": _ome_of_two_files,
    "volume": _volume,
    "pyramid": _pyramid,
    "thumbnail": _thumbnail,
    "singly": lambda f, d, h: _singly(f, d, h, *samples((4, 19, 22), d)),
    "two sizes": lambda f, d, h: _singly(
        f, d, h, samples((1, 19, 22), d)[0], samples((1, 20, 22), d)[0]
    ),
    "two dtypes": lambda f, d, h: _singly(
        f, d, h, samples((1, 19, 22), d)[0], samples((1, 19, 22), "f8")[0]
    ),
    "second series": _chosen,
    "each page": _each_page,
    "appended": _appended,
    "folder": _folder,
}  # fmt: skip


def _by_pillow() -> Iterator[Case]:
    """Libtiff writes these, called by Pillow."""
    modes = {"1": "?", "L": "u1", "LA": "u1", "RGB": "u1", "RGBA": "u1", "CMYK": "u1",
             "I;16": "u2", "I": "i4", "F": "f4", "P": "u1", "LAB": "u1", "YCbCr": "u1"}  # fmt: skip
    for row in product(
        mode=modes, pages=[1, 3],
        codec=["raw", "tiff_lzw", "tiff_adobe_deflate", "packbits", "group3", "group4",
               "tiff_ccitt", "jpeg", "webp", "zstd", "lzma"],
    ):  # fmt: skip
        if (row["codec"] in ("group3", "group4", "tiff_ccitt")) != (row["mode"] == "1"):
            continue
        plain = row["mode"] in ("1", "L", "RGB", "RGBA", "I;16", "I", "F")

        def make(
            folder: Path, row: Mapping[str, Any] = row, plain: bool = plain
        ) -> tuple[Path, list[Any]]:
            path, mode = folder / "x.tif", row["mode"]
            bands = len(Image.new(mode, (1, 1)).getbands())
            shape = (row["pages"], 19, 22) if bands == 1 else (row["pages"], 19, 22, bands)
            frames = samples(shape, modes[mode])
            images = [_image(mode, frame) for frame in frames]
            try:
                images[0].save(
                    path, compression=row["codec"], save_all=True, append_images=images[1:]
                )
            except Exception as error:
                raise Unwritable from error
            exact = row["codec"] not in ("jpeg", "webp")
            known = frames if exact else lambda: _read_by_pillow(path, row["pages"])
            # Imagecodecs makes RGB of inks, of YCbCr and of L*a*b*.
            return path, [known, (lambda: libtiff(path)) if plain and exact else None]

        yield Case("TIFF", f"Pillow {title(row)}", make, refusal=not plain)


def _read_by_pillow(path: Path, pages: int) -> Any:
    with Image.open(path) as image:
        frames = []
        for number in range(pages):
            image.seek(number)
            frames.append(np.array(image))
    return np.stack(frames)


def _image(mode: str, frame: Any) -> Any:
    if mode == "P":
        image = Image.frombytes("P", frame.shape[1::-1], frame.tobytes())
        image.putpalette(samples((1, 1, 768), "u1").tobytes())
        return image
    if mode in ("CMYK", "LAB", "YCbCr"):
        return Image.frombytes(mode, frame.shape[1::-1], frame.tobytes())
    return Image.fromarray(frame)


def _by_opencv() -> Iterator[Case]:
    for row in product(dtype=["u1", "i1", "u2", "i2", "i4", "f4", "f8"], samples=[1, 3, 4],
                       codec=[1, 5, 8, 32773, 32946, 34925, 50000], predictor=[1, 2, 3],
                       rows=[None, 5], pages=[1, 3]):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path = folder / "x.tif"
            shape = (row["pages"], 19, 22)
            frames = samples(
                shape if row["samples"] == 1 else (*shape, row["samples"]), row["dtype"]
            )
            flags = [cv2.IMWRITE_TIFF_COMPRESSION, row["codec"],
                     cv2.IMWRITE_TIFF_PREDICTOR, row["predictor"]]  # fmt: skip
            if row["rows"]:
                flags += [cv2.IMWRITE_TIFF_ROWSPERSTRIP, row["rows"]]
            swapped = frames[..., [2, 1, 0, 3][: row["samples"]]] if row["samples"] > 1 else frames
            try:
                done = cv2.imwritemulti(
                    str(path), [np.ascontiguousarray(f) for f in swapped], flags
                )
            except cv2.error as error:
                raise Unwritable from error
            if not done:
                raise Unwritable
            return path, [lambda: _read_by_opencv(path, frames), lambda: libtiff(path)]

        yield Case("TIFF", f"OpenCV {title(row)}", make)


def _read_by_opencv(path: Path, frames: Any) -> Any:
    """OpenCV's frames with their colours in order, if they are what it was given."""
    good, pages = cv2.imreadmulti(str(path), flags=cv2.IMREAD_UNCHANGED)
    found = np.stack(pages)
    found = found[..., [2, 1, 0, 3][: found.shape[3]]] if found.ndim == 4 else found
    if not good or not np.array_equal(found, frames, equal_nan=frames.dtype.kind == "f"):
        raise ValueError(path)
    return found


def _refused() -> Iterator[Case]:
    """Damage of many kinds, which must never be read as something."""
    for row in product(dtype=["u1", "u2", "f4"], codec=[None, "lzw", "deflate", "zstd"],
                       tiled=[False, True], kept=[0.1, 0.3, 0.5, 0.7, 0.9, 0.99]):  # fmt: skip

        def make(folder: Path, row: Mapping[str, Any] = row) -> tuple[Path, list[Any]]:
            path, frames = folder / "x.tif", samples(SHAPE, row["dtype"])
            _written(path, frames, compression=row["codec"], photometric="minisblack",
                     tile=(16, 16) if row["tiled"] else None)  # fmt: skip
            data = path.read_bytes()
            path.write_bytes(data[: int(len(data) * row["kept"])])
            return path, [frames]

        yield Case("TIFF cut short", title(row), make, refusal=True)
