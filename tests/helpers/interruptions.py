"""Helpers for tests of interrupted films: a stop at a frame, and colours that differ from frame to frame."""

import numpy as np

from tests.helpers.films import colorizer


class Stop(BaseException):
    """Raised to interrupt the work, like KeyboardInterrupt; not an error."""


def stop_at(count):
    """Return a ``progress`` function that stops the work after a number of frames."""

    def progress(state):
        if state.done == count:
            raise Stop

    return progress


def varied_model(folder):
    """Return a colorizer whose colours depend on the place, the luma and the frame."""

    def ab(lightness):
        flicker = 12 * np.sin(5000 * float(lightness.mean()))
        return 60 * (lightness - 0.4) + flicker, 30 * np.sin(9 * lightness) - flicker

    return colorizer(folder, ab)
