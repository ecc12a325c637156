"""The codec lpc in numpy alone, for where no compiler built the C core.

Encoder and decoder give the same bytes and the same pixels as the C core, and refuse the same
streams; they are slower. Normative text: spec/format.md, "lpc".
"""

from .decoder import decode
from .encoder import encode

__all__ = ["decode", "encode"]
