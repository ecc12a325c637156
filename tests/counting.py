"""Count the frames that are decoded."""

import pytest

from h5vidstack.codecs import block
from h5vidstack.codecs.block_format import Block
from h5vidstack.shapes import Pixels


def counting(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The list to which each decoded block adds how many frames of it were decoded.

    Only the private function that all ways to decode share can be counted.
    """
    calls: list[int] = []
    decode = block._decode

    def counted(parsed: Block, pixels: Pixels) -> None:
        calls.append(len(pixels))
        decode(parsed, pixels)

    monkeypatch.setattr(block, "_decode", counted)
    return calls
