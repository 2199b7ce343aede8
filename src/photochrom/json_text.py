"""``parse_json``: parses JSON whose author is not trusted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any


def parse_json(text: str | bytes | bytearray, parse_int: Callable[[str], float] = int) -> Any:
    """Parse JSON.

    Args:
        text: The JSON.
        parse_int: Function that converts the digits of an integer.

    Raises:
        ValueError: The text is not JSON, or is nested too deeply, for which ``json`` raises ``RecursionError``.
    """
    try:
        return json.loads(text, parse_int=parse_int)
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
