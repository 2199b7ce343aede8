"""Which signals there are to be heard."""

from __future__ import annotations

import signal


def heard(*names: str) -> list[signal.Signals]:
    """Of these signals those that this system has, less those that whoever started us wants ignored, as nohup does."""
    found = [signal.Signals[name] for name in names if name in signal.Signals.__members__]
    return [number for number in found if signal.getsignal(number) != signal.SIG_IGN]
