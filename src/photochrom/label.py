"""The label in every output: a sentence that says that software added the colours, and names the model."""

from __future__ import annotations

import mmap
import re
from pathlib import Path
from typing import Final

from .version import __version__

DIGITAL_SOURCE_TYPE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/compositeWithTrainedAlgorithmicMedia"
"""IPTC's name for a picture made in part by trained software, in XMP and in content credentials."""
_MARK: Final = b"photochrom:Statement"
_OWN_SENTENCE: Final = re.compile(r"\s*Colours added by software \(.*?\); not a record of the original colours", re.S)


def statement(model: str) -> str:
    """Return the label as one sentence, without a full stop; ``model`` is a result of ``colorizer.hints.credit``."""
    return f"Colours added by software (photochrom {__version__}, model {model}); not a record of the original colours"


def short_statement() -> str:
    """Return the label without the model's name, for metadata fields of at most 99 characters."""
    return f"Colours added by software (photochrom {__version__}); not a record of the original colours"


def with_statement(text: str, model: str) -> str:
    """Return a text with the label for ``model`` (see ``statement``) appended; earlier labels in it are removed."""
    return f"{_OWN_SENTENCE.sub('', text).strip()} {statement(model)}".strip()


def has_statement(text: str) -> bool:
    """Return whether a text contains the label of any version and model."""
    return _OWN_SENTENCE.search(text) is not None


def has_label(data: bytes | mmap.mmap) -> bool:
    """Return whether the content of a file has Photochrom's label."""
    return data.find(_MARK) >= 0  # XMP is plain text in every format that Photochrom writes


def is_labelled(path: Path) -> bool:
    """Return whether a file contains Photochrom's label, and so is an output of Photochrom.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if not file.read(1):
            return False
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as data:
            return has_label(data)
