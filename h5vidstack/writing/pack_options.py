"""`PackOptions`: the table of all options of packing, with their checks."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import Field, dataclass, fields, replace
from typing import Any, Literal, get_type_hints

import numpy as np

from ..choosing.methods import COPYING_METHOD, METHODS, USUAL_METHOD, Kept, Method, find_method
from ..choosing.profiles import PROFILES, USUAL_PROFILE
from ..choosing.quality import Unit, Wish
from ..codecs.noise import NoiseModel
from ..codecs.registry import CODECS, PRESETS
from ..errors import OutputError, UnsupportedError
from ..sources.source import SourceOptions
from .option_texts import About, OptionGroup, option

SPOOL_BYTES = 16 << 30
"""Disk that frames of a source that runs only once may take while they are reordered."""


@dataclass(frozen=True, kw_only=True)
class PackOptions:
    """How a stack is packed: the options of `pack`, checked against each other.

    `pack` takes these options by name, or as ``options=PackOptions(...)``. `Stack.append`,
    `create`, `repack` and the command line take some of them.

    Parameters
    ----------
    <options of pack>

    Raises
    ------
    OutputError, UnsupportedError
        If a value means nothing, or two options contradict each other.
    """

    mode: Literal["w", "a"] = option(
        "w",
        OptionGroup.OUTPUT,
        '``"w"`` writes a new stack, ``"a"`` adds to the stack at the path, if there is one.',
        more="What the stack holds is not coded again. Frames of a source in order go on in the "
        "last pile of a lossless stack that is in order and of the same method. Other frames get "
        "piles of their own, and a frame that the stack has is not stored again. If options allow "
        "a loss, the whole stack is said to be lossy. The file is replaced by a complete new one.",
        takers=(),
        command=False,
    )
    method: str | None = option(
        None,
        OptionGroup.SMALL,
        "video: frames in their order; groupvideo: similar frames side by side; auto: the one that "
        "a sample finds smaller. Without video: hdf5, hdf5gz and hdf5gzshuffle store pixels as "
        "HDF5 alone does, group stores differences to the mean of a pile, and pca stores principal "
        "components, which is LOSSY without exact.",
        more="With profile fast, auto keeps the order without a sample. A *pile* holds similar "
        "frames; those of group have near image hashes. With every method except pca a frame that "
        "equals an earlier one bit for bit is stored once.",
        usual="auto; to append: the stack's own",
        takers=("append",),
        choices=tuple(METHODS),
    )
    profile: str | None = option(
        None,
        OptionGroup.SMALL,
        "What matters, when samples of each pile decide how it is coded.",
        more="small takes the smallest coding. balanced takes a faster one that is at most 2 % "
        "larger, and fast one that is at most 10 % larger, out of fast codings only.",
        usual="balanced; to append: the stack's own",
        choices=tuple(PROFILES),
        with_copy=False,
    )
    codec: str | None = option(
        None,
        OptionGroup.SMALL,
        "Choose among this codec's presets.",
        choices=tuple(CODECS),
        kept=(Kept.VIDEO,),
        with_copy=False,
    )
    preset: str | None = option(
        None,
        OptionGroup.SMALL,
        "Exactly this coding, as x264-slow or ffv1; mp4 (MPEG-4) is LOSSY.",
        choices=tuple(PRESETS),
        metavar="NAME",
        kept=(Kept.VIDEO,),
        with_copy=False,
    )
    crf: float | None = option(
        None,
        OptionGroup.EXACT,
        "LOSSY x264 of this constant rate factor, 0 to 51.",
        more="Pixels that the codec cannot hold are scaled to 8, 10 or 12 bits first.",
        takers=("append",),
        metavar="Q",
        kept=(Kept.VIDEO,),
        with_copy=False,
    )
    max_error: float | str | None = option(
        None,
        OptionGroup.EXACT,
        "LOSSY: let no pixel move by more than E; 1e-3r or 0.1% of the range of all; or 0.5s, half "
        "the standard deviation of its own noise.",
        more="NaN and infinity are kept as they are. Noise is that of a camera, so pixels are "
        "integers then. `repack` takes each dataset by itself: bool, enumerations and, with noise, "
        "floats stay exact.",
        takers=("append", "repack"),
        metavar="E",
        kept=(Kept.VIDEO, Kept.PCA),
        with_copy=False,
    )
    noise: NoiseModel | str | None = option(  # noqa: RUF009  # it makes a field
        None,
        OptionGroup.EXACT,
        "Of max-error 0.5s: the camera's noise, as gain=0.46,offset=100,read=1.6 (electrons per "
        "count, counts of a dark pixel, electrons of read noise).",
        usual="to append: the stack's own; else estimated from the frames",
        takers=("append", "repack"),
        metavar="NOISE",
        kept=(Kept.VIDEO,),
        with_copy=False,
    )
    components: int | None = option(
        None,
        OptionGroup.SMALL,
        "Of method pca: how many components.",
        usual="20, or as many as max-error and target-psnr need",
        takers=(),
        kept=(Kept.PCA,),
        with_copy=False,
    )
    target_psnr: float | None = option(
        None,
        OptionGroup.EXACT,
        "Of method pca: take as many components as this PSNR of all pixels needs, in dB.",
        takers=(),
        metavar="DB",
        kept=(Kept.PCA,),
        with_copy=False,
    )
    exact: bool = option(
        False,
        OptionGroup.EXACT,
        "Of method pca: keep what the components leave, too, losslessly.",
        takers=(),
        kept=(Kept.PCA,),
        with_copy=False,
    )
    explain: bool = option(
        False,
        OptionGroup.OUTPUT,
        "Report what was tried: sizes and speeds.",
        takers=("append",),
        with_copy=False,
    )
    chunk_frames: int | None = option(
        None,
        OptionGroup.SMALL,
        "Frames a block.",
        more="Blocks have fewer where a raw one would be over 64 MiB.",
        usual="16, more if they are tiny; small: 256",
    )
    tile: tuple[int, int] | None = option(
        None,
        OptionGroup.SMALL,
        "Height and width of tiles, or 'none'.",
        more="In Python none is ``(0, 0)``. Frames over 4 megapixels get tiles of about a "
        "megapixel. With profile fast frames over 192 KiB are cut into strips.",
        usual="tiles for large frames",
        with_copy=False,
    )
    dims: Sequence[str] | None = option(
        None,
        OptionGroup.WHAT,
        "Names of all axes, in order, as T,C,Z,y,x.",
        usual="those of the source, else frame, y and x",
        metavar="NAMES",
        takers=("append", "create"),
    )
    coords: Mapping[str, Any] | None = option(
        None,
        OptionGroup.WHAT,
        "Values along axes, by name.",
        more="An array has a value for each frame, or lies along the axis of its name; "
        "``(dims, values)`` and ``(dims, values, attrs)`` name the axes, as in xarray. `create` "
        "takes an empty array for each column: it declares the dtype, and with attrs the units.",
        takers=("append", "create"),
        command=False,
    )
    attrs: Mapping[str, Any] | None = option(
        None,
        OptionGroup.WHAT,
        "Attributes of the stack: texts, numbers, and arrays of these.",
        takers=("append", "create"),
        command=False,
    )
    scale: str | None = option(
        None,
        OptionGroup.WHAT,
        "Size of a pixel, as 0.65um; for other axes Z=2um,y=0.65um,x=0.65um.",
        usual="what the source says",
        metavar="SIZE",
        takers=("append",),
    )
    digest: bool = option(
        True,
        OptionGroup.OUTPUT,
        "Keep the SHA-256 of each file of the source.",
        negative="Keep no SHA-256 of the source's files; 'verify --originals' needs them.",
        takers=("append",),
    )
    gray: bool = option(
        False,
        OptionGroup.WHAT,
        "Make gray of colour; of a video, keep its luma.",
        more='Other colour becomes ITU-R BT.601 luma, as Pillow\'s ``convert("L")`` makes it.',
        takers=("append",),
    )
    stream: int | None = option(
        None,
        OptionGroup.WHAT,
        "Of a video with several streams: read this one, as FFmpeg counts all of the file.",
        usual="the one that a player would show",
        takers=("append",),
        metavar="N",
        least=0,
    )
    accept_damaged: bool = option(
        False,
        OptionGroup.WHAT,
        "Read damaged video, too, and record which frames are doubtful.",
        takers=("append",),
    )
    hashes: bool = option(
        True,
        OptionGroup.OUTPUT,
        "Store the hash tables that `Stack.find` searches.",
        negative="Store no hash tables; 'find' needs them.",
    )
    spool_bytes: int = option(
        SPOOL_BYTES,
        OptionGroup.FAST,
        "Most bytes of disk for frames that wait to be reordered.",
        more="Frames of a source that runs only once, or that is slow to read again, wait in a "
        "temporary file beside the output, which takes at most half of the free disk. If that is "
        "too small, a source that can be read again is, and the frames of others stay in order.",
        usual="16G",
        least=0,
        flag="spool-limit",
        size=True,
        takers=("append",),
    )
    copy: bool = option(
        False,
        OptionGroup.SMALL,
        "Keep the packets of an H.264 file as they are, if its GOPs are closed.",
        more="Nothing is lost, and the stack is as small as the file. A block holds whole GOPs, "
        "wherever they begin; `chunk_frames` is the most frames that it may have. Colour needs "
        "`gray`. Each block is decoded and compared with the file's frames.",
        takers=("append",),
    )
    workers: int | None = option(
        None,
        OptionGroup.FAST,
        "Blocks that are encoded at once.",
        more="A block and all other tiles of the same frames count as one.",
        usual="one a core, or as many as the executor or cluster has",
    )
    executor: Executor | None = option(  # noqa: RUF009  # it makes a field
        None,
        OptionGroup.FAST,
        "Any Executor of concurrent.futures, whose workers encode and check blocks and samples.",
        more="A cluster has one: ``distributed.Client.get_executor()``. Its workers need the same "
        "versions of h5vidstack and FFmpeg. The blocks are the same, and it is not shut down.",
        takers=("append",),
        command=False,
        with_copy=False,
    )
    verify: bool = option(
        True,
        OptionGroup.EXACT,
        "Decode each block and compare it with its input before it is written.",
        negative="Do not decode and compare each block.",
        more="What is lossy is always decoded and measured.",
        takers=("append", "create"),
        with_copy=False,
    )
    overwrite: bool = option(
        False, OptionGroup.OUTPUT, "Replace an existing output.", takers=("create", "repack")
    )
    resume: bool = option(
        False,
        OptionGroup.OUTPUT,
        "Keep what is encoded until all is; go on with what an interrupted run kept.",
        more="Blocks are kept in a hidden file beside the output. Each block that is found there "
        "is decoded and compared with its frames.",
        takers=(),
        kept=(Kept.VIDEO,),
        with_copy=False,
    )

    def __post_init__(self) -> None:
        self._check_types()
        if self.mode not in ("w", "a"):
            raise OutputError(
                f"mode is {self.mode!r}; there is 'w', write a new stack, and 'a', add to one"
            )
        if self.mode == "a" and self.overwrite:
            raise OutputError(
                "adding to a stack overwrites nothing: leave out overwrite, or mode='a'"
            )
        if self.copy:
            self._check_copy()
        if self.method is not None or self.mode == "w":
            self._check_method()
        self._check_pca()
        self.wish  # noqa: B018  # raises what it does not understand

    @property
    def row(self) -> Method:
        """The row of the method in the table of methods."""
        return find_method(self.method or USUAL_METHOD)

    @property
    def wish(self) -> Wish:
        """How the stack is to be coded."""
        profile = self.profile or USUAL_PROFILE
        return Wish.read(
            profile, self.codec, self.preset, self.crf, self.max_error, self.noise
        )  # fmt: skip

    @property
    def reading(self) -> SourceOptions:
        """How the source is to be read."""
        return SourceOptions(self.gray, self.stream, self.accept_damaged)

    def completed(
        self,
        method: str | None = None,
        profile: str | None = None,
        noise: NoiseModel | None = None,
    ) -> PackOptions:
        """Return these options with what they lack: given here, else the usual ones."""
        if self.copy:
            return replace(self, method=COPYING_METHOD)
        bound = self.wish.bound
        in_noise = bound is not None and bound.unit == Unit.NOISE
        return replace(
            self,
            method=self.method or method or USUAL_METHOD,
            profile=self.profile or profile or USUAL_PROFILE,
            noise=self.noise or noise if in_noise else None,
        )

    def given(self) -> list[str]:
        """Return the names of options whose values are not the default ones."""
        return [name for name, of in _FIELDS.items() if getattr(self, name) != of.default]

    def _check_types(self) -> None:
        """Raise OutputError if a switch is no bool, a name no text, or a number not whole.

        Numbers of NumPy become Python's. Values of other kinds are checked where they are used.
        """
        for name, of in _FIELDS.items():
            value, wanted, least = getattr(self, name), kind(name), about(name).least
            if value is None and of.default is None:
                continue
            if wanted is bool:
                if not isinstance(value, bool | int | np.bool_) or value not in (0, 1):
                    raise OutputError(f"{name} is {value!r}; it must be True or False")
                object.__setattr__(self, name, bool(value))
            elif wanted in (int, int | None):
                whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
                if not whole or value < least:
                    raise OutputError(
                        f"{name} is {value!r}; it must be a whole number of at least {least}"
                    )
                object.__setattr__(self, name, int(value))
            elif wanted == str | None and not isinstance(value, str):
                raise OutputError(f"{name} is {value!r}; it must be a name")

    def _check_copy(self) -> None:
        """Raise UnsupportedError if options say how to code what is to be copied."""
        if self.method is not None and not find_method(self.method).copies:
            raise UnsupportedError(no_copy_with(f"method {self.method}"))
        for name in self.given():
            if not about(name).with_copy:
                raise UnsupportedError(no_copy_with(flag(name)))

    def _check_method(self) -> None:
        """Raise UnsupportedError if an option means nothing to the method."""
        method = self.row
        for name in self.given():
            kept = about(name).kept
            if kept and method.kept not in kept:
                takers = [other.name for other in METHODS.values() if other.kept in kept]
                raise UnsupportedError(
                    f"method {method.name} takes no {flag(name)}; "
                    f"{', '.join(takers)} take{'s' * (len(takers) == 1)} it"
                )

    def _check_pca(self) -> None:
        """Raise UnsupportedError if options of a PCA mean nothing, or contradict each other."""
        psnr = self.target_psnr
        if psnr is not None and not (
            isinstance(psnr, int | float | np.number) and 0 < psnr < math.inf
        ):
            raise UnsupportedError(f"target-psnr is {psnr!r}; it must be a number of dB above 0")
        bound = self.wish.bound
        if self.row.kept == Kept.PCA and bound is not None and bound.unit == Unit.NOISE:
            raise UnsupportedError(
                "components bound no error in units of noise: give max-error as a number, as 0.5, "
                "or another method"
            )
        if self.exact and (self.max_error is not None or psnr is not None):
            raise UnsupportedError("exact leaves no error: give no max-error and no target-psnr")


_FIELDS: Mapping[str, Field[Any]] = {each.name: each for each in fields(PackOptions)}
_HINTS: Mapping[str, Any] = get_type_hints(PackOptions)


def about(name: str) -> About:
    """Return what is said of an option."""
    found: About = _FIELDS[name].metadata["about"]
    return found


def default(name: str) -> Any:
    """Return what an option is where it is not given."""
    return _FIELDS[name].default


def kind(name: str) -> Any:
    """Return the type of an option, as ``int | None``."""
    return _HINTS[name]


def options_of(taker: str) -> list[str]:
    """Return the names of the options that a function takes; all, if it is `pack`."""
    return [name for name in _FIELDS if taker == "pack" or taker in about(name).takers]


def flag(name: str) -> str:
    """Return the name of an option on the command line, where a switch may turn it off."""
    return about(name).flag or f"{'no-' * (_FIELDS[name].default is True)}{name.replace('_', '-')}"


def no_copy_with(what: str) -> str:
    """Return an error message: `copy` does not go with another option."""
    return (
        "copy keeps the packets of a video file as they are, in order, and proves each block: "
        f"it takes no {what}"
    )
