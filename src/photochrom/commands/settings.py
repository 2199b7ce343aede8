"""The user's defaults, from a configuration file and from environment variables.

The file is TOML. A top-level value applies to every verb that has the option, a value in a table to one verb::

    device = "cpu"
    [photo]
    quality = 92

An environment variable ``PHOTOCHROM_DEVICE`` or ``PHOTOCHROM_PHOTO_QUALITY`` overrides the file, and an option on the
command line overrides both.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from ..errors import OptionError
from .parser import did_you_mean, options_of

SETTINGS: Final = frozenset(
    (
        "model", "device", "vividness", "strength", "detail", "quality", "compression", "jpeg_layout", "codec", "crf",
        "preset", "host", "port", "open",
    )
)  # fmt: skip
"""Options with configurable defaults. Options that replace or discard files must be typed each time."""


def config_path() -> Path:
    """Return the path of the configuration file, which need not exist.

    It is in the platform's folder for configuration, unless the variable ``PHOTOCHROM_CONFIG`` names another path.
    """
    if path := os.environ.get("PHOTOCHROM_CONFIG"):
        return Path(path)
    import platformdirs

    return Path(platformdirs.user_config_dir("photochrom", appauthor=False)) / "config.toml"


def apply_settings(verb: str, parsers: Mapping[str, argparse.ArgumentParser]) -> None:
    """Make the user's settings the defaults of a verb's options.

    Args:
        verb: The verb that will run.
        parsers: The parsers of all verbs, by name.

    Raises:
        OptionError: The configuration file cannot be read or has an unknown name, or a setting has an invalid value.
    """
    path, options = config_path(), {name: _configurable(parser) for name, parser in parsers.items()}
    for name, setting in (_from_file(path, verb, options) | _from_environment(verb)).items():
        if action := options[verb].get(name):
            parsers[verb].set_defaults(**{name: _convert(setting, action)})


class _Setting(NamedTuple):
    """A value of the user's, and where it is from, for error messages."""

    value: Any
    name: str
    """Name of the setting or of the environment variable."""
    path: Path | None = None
    """The configuration file; None for the environment."""


def _configurable(parser: argparse.ArgumentParser) -> dict[str, argparse.Action]:
    """Return the options of a verb with configurable defaults, by name."""
    return {action.dest: action for action in options_of(parser) if action.dest in SETTINGS}


def _from_file(path: Path, verb: str, options: Mapping[str, Collection[str]]) -> dict[str, _Setting]:
    """Return a verb's settings from the configuration file, by name.

    The tables of the other verbs are checked, too. ``options`` has the names of the configurable options of each verb.

    Raises:
        OptionError: The file cannot be read, or contains an unknown name.
    """
    config = read_config(path)
    tables: dict[str, dict[str, Any]] = {name: value for name, value in config.items() if isinstance(value, dict)}
    common = {name: value for name, value in config.items() if name not in tables}
    for name, table in tables.items():
        _check_name("table", name, [known for known, names in options.items() if names], path)
        for setting in table:
            _check_name(f"setting of {name}:", setting, options[name], path)
    for name in common:
        if name in options:
            raise OptionError(f"{name} is not a table", path=path, remedy=f"write [{name}], and the options below it")
        _check_name("setting", name, SETTINGS, path)
    return {name: _Setting(value, name, path) for name, value in (common | tables.get(verb, {})).items()}


def _check_name(kind: str, name: str, known: Collection[str], path: Path) -> None:
    """Raise an ``OptionError`` that names the nearest known name, or all of them, if a name is not known."""
    if name not in known:
        remedy = (
            did_you_mean(name, known).removeprefix(": ") or f"the {kind.split()[0]}s are {', '.join(sorted(known))}"
        )
        raise OptionError(f"unknown {kind} {name!r}", path=path, remedy=remedy)


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration file; return an empty dictionary if it does not exist.

    Raises:
        OptionError: The file cannot be read, is not TOML, or does not exist although ``PHOTOCHROM_CONFIG`` names it.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))  # Windows' editors write a BOM
    except FileNotFoundError:
        if os.environ.get("PHOTOCHROM_CONFIG"):
            raise OptionError(
                "does not exist, and PHOTOCHROM_CONFIG names it", path=path, remedy="create it, or unset the variable"
            ) from None
        return {}
    except OSError as exc:
        raise OptionError(f"cannot be read ({exc.strerror})", path=path, remedy="check the file") from exc
    except (ValueError, RecursionError) as exc:
        raise OptionError(f"is not TOML ({exc})", path=path, remedy='write NAME = VALUE, text as "text"') from exc


def _from_environment(verb: str) -> dict[str, _Setting]:
    """Return a verb's settings from environment variables, by name."""
    found: dict[str, _Setting] = {}
    for prefix in ("PHOTOCHROM_", f"PHOTOCHROM_{verb.upper()}_"):  # the more specific name takes precedence
        for name in SETTINGS:
            variable = prefix + name.upper()
            if value := os.environ.get(variable):
                found[name] = _Setting(value, variable)
    return found


def _convert(setting: _Setting, action: argparse.Action) -> Any:
    """Convert a setting's value to the type of its option.

    Raises:
        OptionError: The value is not of that type.
    """
    value, problem = setting.value, f"{setting.name} is {setting.value!r}"
    if isinstance(action, argparse.BooleanOptionalAction):
        known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if (flag := known.get(str(value).lower())) is None:
            raise OptionError(problem, path=setting.path, remedy="write true or false")
        return flag
    convert = action.type if callable(action.type) else str
    try:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            raise ValueError(value)
        converted = convert(str(value))
        if action.choices is not None and converted not in action.choices:
            raise ValueError(value)
        return converted
    except ValueError:
        remedy = f"write a value as for --{action.dest.replace('_', '-')}"
        raise OptionError(problem, path=setting.path, remedy=remedy) from None
