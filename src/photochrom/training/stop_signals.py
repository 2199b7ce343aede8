"""Stops a run between two steps on a signal, such as Ctrl+C or a cluster's SIGTERM."""

from __future__ import annotations

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP")
"""Ctrl+C, termination by a cluster, and a closed terminal."""


class Stopped(Exception):  # noqa: N818
    """Raised when a signal has stopped the run; what the remedy needs, such as a checkpoint, was written before."""

    remedy = "go on with resume=True"

    def __init__(self, step: int, steps: int, signal_number: int) -> None:
        super().__init__(f"stopped at step {step:,} of {steps:,}: {self.remedy}")
        self.status = 128 + signal_number
        """Exit status by the shells' convention, 128 + signal: 130, 143 or 129."""
