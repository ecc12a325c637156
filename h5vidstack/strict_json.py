"""JSON that every program reads."""

from __future__ import annotations

import json
import math
from typing import Any


def json_text(facts: Any) -> str:
    """JSON, in which what is not finite is null."""

    def clean(value: Any) -> Any:
        if isinstance(value, dict):
            return {name: clean(inner) for name, inner in value.items()}
        if isinstance(value, (list, tuple)):
            return [clean(inner) for inner in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    return json.dumps(clean(facts))
