"""What a PNG says in its chunks: texts, EXIF, XMP, a colour profile; read, and made anew."""

from __future__ import annotations

import base64
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from ...errors import SourceError
from ..picture_records import EXIF, ICC, PNG_CHUNKS, PNG_TEXT, XMP, PixelSize

KEPT = (
    "cHRM",
    "cICP",
    "gAMA",
    "mDCV",
    "cLLI",
    "oFFs",
    "pCAL",
    "pHYs",
    "sCAL",
    "sRGB",
    "sTER",
    "tIME",
)
"""Other chunks that are kept: they say what samples mean, and depend on no palette."""
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_XMP_KEYWORD = "XML:com.adobe.xmp"
_PROFILE_NAME = b"ICC profile"
_MOST_BYTES = 64 << 20

Chunks = Iterable[tuple[bytes, bytes]]


def words_of_png(chunks: Chunks) -> dict[str, bytes]:
    """Return what the chunks of a PNG say, by the names of `picture_records.KINDS`."""
    words: dict[str, bytes] = {}
    texts, others = list[dict[str, Any]](), dict[str, str]()
    for name, body in chunks:
        if name in _TEXTS:
            text = _text(name, body)
            if text.get("keyword") == _XMP_KEYWORD and XMP not in words:
                words[XMP] = text["text"].encode(errors="surrogateescape")
            else:
                texts.append(text)
        elif name == b"eXIf":
            words[EXIF] = body
        elif name == b"iCCP":
            profile = _inflated(body.partition(b"\0")[2][1:])
            if profile is not None:
                words[ICC] = profile
        elif name.decode("latin1") in KEPT:
            others[name.decode()] = base64.b64encode(body).decode()
    if texts:
        words[PNG_TEXT] = json.dumps(texts).encode()
    if others:
        words[PNG_CHUNKS] = json.dumps(others).encode()
    return words


def pixel_size(body: bytes | None) -> PixelSize | None:
    """Return how large a pixel is by a chunk ``pHYs``; None where its unit is not known."""
    if body is None or len(body) != 9:
        return None
    across, down, unit = struct.unpack(">IIB", body)
    return PixelSize(1 / down, 1 / across, "m") if unit == 1 and across and down else None


def chunks_of_words(words: Mapping[str, Any]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks that say so; all of them may stand before the pixels.

    Parameters
    ----------
    words
        By the names of `picture_records.KINDS`, as `Words` gives them; others are passed over.
    """
    for name, body in (words.get(PNG_CHUNKS) or {}).items():
        yield name.encode(), base64.b64decode(body)
    if words.get(ICC) is not None:
        yield b"iCCP", _PROFILE_NAME + b"\0\0" + zlib.compress(words[ICC])
    if words.get(EXIF) is not None:
        yield b"eXIf", words[EXIF]
    if words.get(XMP) is not None:
        xmp = words[XMP].encode(errors="surrogateescape")
        yield b"iTXt", _XMP_KEYWORD.encode() + bytes(5) + xmp
    for text in words.get(PNG_TEXT) or ():
        yield text["chunk"].encode(), _text_body(text)


def chunk(name: bytes, body: bytes) -> bytes:
    """Return a chunk as it stands in a file."""
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _text(name: bytes, body: bytes) -> dict[str, Any]:
    """Return a chunk of text as JSON has it; one that breaks the standard as bytes."""
    try:
        return {"chunk": name.decode(), **_TEXT_PARSERS[name](body)}
    except (ValueError, SourceError):
        return {"chunk": name.decode(), "base64": base64.b64encode(body).decode()}


def _plain_text(body: bytes) -> dict[str, Any]:
    keyword, text = body.split(b"\0", 1)
    return {"keyword": keyword.decode("latin1"), "text": text.decode("latin1")}


def _packed_text(body: bytes) -> dict[str, Any]:
    keyword, rest = body.split(b"\0", 1)
    text = _inflated(rest[1:]) if rest[:1] == b"\0" else None
    if text is None:
        raise SourceError("its text cannot be unpacked")
    return {"keyword": keyword.decode("latin1"), "text": text.decode("latin1")}


def _international_text(body: bytes) -> dict[str, Any]:
    keyword, rest = body.split(b"\0", 1)
    packed, method = rest[0:1], rest[1:2]
    language, translated, text = rest[2:].split(b"\0", 2)
    if packed == b"\1" and method == b"\0":
        text = _inflated(text) or b""
    elif packed != b"\0":
        raise SourceError("its text is packed in an unknown way")
    said: dict[str, Any] = {
        "keyword": keyword.decode("latin1"),
        "text": text.decode(errors="surrogateescape"),
    }
    if language or translated:
        said["language"] = language.decode("latin1")
        said["translated"] = translated.decode(errors="surrogateescape")
    return said | ({"compressed": True} if packed == b"\1" else {})


_TEXT_PARSERS = {b"tEXt": _plain_text, b"zTXt": _packed_text, b"iTXt": _international_text}


def _text_body(text: Mapping[str, Any]) -> bytes:
    """Undo `_text`."""
    if "base64" in text:
        return base64.b64decode(text["base64"])
    keyword = text["keyword"].encode("latin1") + b"\0"
    if text["chunk"] == "tEXt":
        return bytes(keyword + text["text"].encode("latin1"))
    if text["chunk"] == "zTXt":
        return bytes(keyword + b"\0" + zlib.compress(text["text"].encode("latin1")))
    said = text["text"].encode(errors="surrogateescape")
    packed = bool(text.get("compressed"))
    return bytes(
        keyword + (b"\1\0" if packed else b"\0\0")
        + text.get("language", "").encode("latin1") + b"\0"
        + text.get("translated", "").encode(errors="surrogateescape") + b"\0"
        + (zlib.compress(said) if packed else said)
    )  # fmt: skip


def _inflated(data: bytes) -> bytes | None:
    """Return what was deflated; None if it is damaged, or too long for words."""
    unpacker = zlib.decompressobj()
    try:
        text = unpacker.decompress(data, _MOST_BYTES)
    except zlib.error:
        return None
    return text if unpacker.eof else None
