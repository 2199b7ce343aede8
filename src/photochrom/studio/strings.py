"""Translations of the page, read from gettext catalogues (.po files)."""

from __future__ import annotations

import ast
from functools import cached_property
from pathlib import Path

from ..errors import OptionError

_KEYS = ("msgid", "msgstr")


class Catalogues:
    """The gettext catalogues in a folder, one per language: ``de.po`` translates the page from English into German.

    Args:
        folder: Folder of the .po files.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def languages(self) -> list[str]:
        """Codes of the available languages, English first."""
        return ["en", *sorted(path.stem for path in self._folder.glob("*.po"))]

    def strings(self, language: str) -> dict[str, str]:
        """Return the translations into a language, by their English texts; empty for English.

        Raises:
            OptionError: There is no catalogue for the language.
        """
        if language == "en":
            return {}
        if language not in self.languages:
            raise OptionError(f"the studio has no translation for {language!r:.20}")
        return parse_po((self._folder / f"{language}.po").read_text(encoding="utf-8"))


def parse_po(text: str) -> dict[str, str]:
    """Parse a gettext catalogue without plural forms; return translations by their original texts.

    Untranslated texts are left out.

    Raises:
        ValueError: A line is invalid.
    """
    entries: list[dict[str, str]] = []
    key = ""
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        word, _, rest = line.partition(" ")
        if word in _KEYS:
            key = word
            if key == "msgid":
                entries.append({"msgid": "", "msgstr": ""})
        else:
            rest = line
        entries[-1][key] += ast.literal_eval(rest.strip())  # a quoted string, with the same escapes
    return {entry["msgid"]: entry["msgstr"] for entry in entries if entry["msgid"] and entry["msgstr"]}
