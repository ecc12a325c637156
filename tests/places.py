"""Where what tests need lies in a checkout."""

import runpy
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
GOLDEN = ROOT / "tests" / "golden"
BENCHMARKS = ROOT / "benchmarks"
SPEC_READER: dict[str, Any] = runpy.run_path(str(ROOT / "spec" / "reader.py"))
"""The names of the decoder that is written from the specification alone."""
