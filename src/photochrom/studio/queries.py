"""Parses the numbers and hints in the queries of requests."""

from __future__ import annotations

import math
import time

from starlette.datastructures import QueryParams

from ..colorizer.hints import Hint
from ..colorizer.options import ColorOptions
from ..errors import OptionError


def color_options(query: QueryParams, detail: float) -> ColorOptions:
    """Parse the parameters ``vividness``, ``strength``, ``detail`` (with its default), and any ``hint=x,y,colour``.

    Raises:
        OptionError: A number is invalid or out of range, or a hint is invalid.
    """
    hints = tuple(Hint.parse(text) for text in query.getlist("hint"))
    vividness = _number(query, "vividness", 0.0) if "vividness" in query else None
    return ColorOptions(vividness, _number(query, "strength", 1.0), hints, _number(query, "detail", detail))


def place(query: QueryParams) -> tuple[float, float]:
    """Parse the parameters ``x`` and ``y``, from 0 to 1; a missing one is 0.5.

    Raises:
        OptionError: One of them is not a number from 0 to 1.
    """
    x, y = (_number(query, name, 0.5) for name in ("x", "y"))
    if not (0 <= x <= 1 and 0 <= y <= 1):
        raise OptionError("x and y are not numbers from 0 to 1")
    return x, y


def tray_order(query: QueryParams) -> float:
    """Parse the parameter ``order``, by which the tray is sorted; a missing one is the current time in milliseconds.

    The page states it, because files that are uploaded at the same time arrive in any order.

    Raises:
        OptionError: It is not a finite number.
    """
    order = _number(query, "order", time.time() * 1000)
    if not math.isfinite(order):
        raise OptionError(f"order is {order}, which is not a finite number")
    return order


def _number(query: QueryParams, name: str, default: float) -> float:
    text = query.get(name)
    try:
        return default if text is None else float(text)
    except ValueError:
        raise OptionError(f"{name} is {text!r:.60}, which is not a number") from None
