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
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ..errors import OptionError
from .parser import did_you_mean, options_of

SETTINGS: Final = frozenset(
    (
        "model", "device", "vividness", "strength", "quality", "compression", "jpeg_layout", "codec", "crf", "preset",
        "host", "port", "open",
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


def apply_settings(verb: str, parser: argparse.ArgumentParser) -> None:
    """Make the user's settings the defaults of a verb's options.

    Raises:
        OptionError: The configuration file cannot be read or has an unknown name, or a setting has an invalid value.
    """
    path = config_path()
    actions = {action.dest: action for action in options_of(parser) if action.dest in SETTINGS}
    for name, (source, value) in (_from_file(path, verb) | _from_environment(verb)).items():
        if action := actions.get(name):
            parser.set_defaults(**{name: _convert(value, action, source)})


def _from_file(path: Path, verb: str) -> dict[str, tuple[str, Any]]:
    """Return a verb's settings from the configuration file: name -> (source, for error messages; value).

    Raises:
        OptionError: The file cannot be read, or contains an unknown name.
    """
    config = read_config(path)
    table = config.get(verb, {})
    if not isinstance(table, Mapping):
        raise OptionError(f"{verb} is not a table", path=path, remedy=f"write [{verb}], and the options below it")
    common = {name: value for name, value in config.items() if not isinstance(value, Mapping)}
    for name in (*common, *table):
        if name not in SETTINGS:
            raise OptionError(
                f"unknown setting {name!r}",
                path=path,
                remedy=did_you_mean(name, SETTINGS).removeprefix(": ")
                or f"the settings are {', '.join(sorted(SETTINGS))}",
            )
    return {name: (f"{path}: {name}", value) for name, value in (common | dict(table)).items()}


def read_config(path: Path) -> dict[str, Any]:
    """Read the configuration file; return an empty dictionary if it does not exist.

    Raises:
        OptionError: The file cannot be read, is not TOML, or does not exist although ``PHOTOCHROM_CONFIG`` names it.
    """
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        if os.environ.get("PHOTOCHROM_CONFIG"):
            raise OptionError(
                "does not exist, and PHOTOCHROM_CONFIG names it", path=path, remedy="create it, or unset the variable"
            ) from None
        return {}
    except OSError as exc:
        raise OptionError(f"cannot be read ({exc.strerror})", path=path, remedy="check the file") from exc
    except ValueError as exc:
        raise OptionError(f"is not TOML ({exc})", path=path, remedy='write NAME = VALUE, text as "text"') from exc


def _from_environment(verb: str) -> dict[str, tuple[str, Any]]:
    """Return a verb's settings from environment variables: name -> (source, for error messages; value)."""
    found: dict[str, tuple[str, Any]] = {}
    for prefix in ("PHOTOCHROM_", f"PHOTOCHROM_{verb.upper()}_"):  # the more specific name takes precedence
        for name in SETTINGS:
            variable = prefix + name.upper()
            if value := os.environ.get(variable):
                found[name] = (variable, value)
    return found


def _convert(value: Any, action: argparse.Action, source: str) -> Any:
    """Convert a setting's value to the type of its option.

    Raises:
        OptionError: The value is not of that type.
    """
    if isinstance(action, argparse.BooleanOptionalAction):
        known = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}
        if (flag := known.get(str(value).lower())) is None:
            raise OptionError(f"{source} is {value!r}", remedy="write true or false")
        return flag
    convert = action.type if callable(action.type) else str
    try:
        return convert(str(value))
    except ValueError:
        raise OptionError(
            f"{source} is {value!r}", remedy=f"write a value as for --{action.dest.replace('_', '-')}"
        ) from None
