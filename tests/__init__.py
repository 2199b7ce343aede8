"""Tests, in the folders of the package that they test."""

import os

if (
    "PYTEST_XDIST_WORKER" in os.environ
):  # pytest's workers share the cores; libraries read this variable when they are loaded
    os.environ.setdefault("OMP_NUM_THREADS", "1")
