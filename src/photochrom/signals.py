"""Signals that the process should react to."""

from __future__ import annotations

import signal


def heard(*names: str) -> list[signal.Signals]:
    """Return the named signals that this platform has and that are not ignored (as SIGHUP is under nohup)."""
    found = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [number for number in found if signal.getsignal(number) != signal.SIG_IGN]
