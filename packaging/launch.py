"""Starts the app: the command line if there are arguments, the studio if it was double-clicked."""

import multiprocessing
import sys

from photochrom.__main__ import run

if __name__ == "__main__":
    multiprocessing.freeze_support()  # worker processes of a batch start this program again
    if len(sys.argv) == 1:
        sys.argv += ["studio", "--open"]
    run()
