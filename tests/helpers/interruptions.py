"""What tests of interrupted films share: a stop at a frame, and colours that show which frame was made when."""

import numpy as np

from tests.helpers.films import colorizer


class Stop(BaseException):
    """Not an error: what Ctrl-C is like."""


def stop_at(count):
    """A function for ``progress`` that stops the work after a number of frames."""

    def progress(state):
        if state.done == count:
            raise Stop

    return progress


def lively(folder):
    """Colours that depend on the place, on the luma, and on each frame anew."""

    def ab(lightness):
        flicker = 12 * np.sin(5000 * float(lightness.mean()))
        return 60 * (lightness - 0.4) + flicker, 30 * np.sin(9 * lightness) - flicker

    return colorizer(folder, ab)
