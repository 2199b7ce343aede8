"""Marks every test of this folder, so that ``-m "not training"`` leaves them out; a network is exported once."""

from pathlib import Path

import pytest


def pytest_collection_modifyitems(items):
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.training)


@pytest.fixture(scope="session", autouse=True)
def _kept_exports(kept_exports):
    pass
