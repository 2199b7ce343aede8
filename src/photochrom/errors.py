"""Every error that Photochrom raises on purpose, one family:

PhotochromError
├── PhotoError      a photograph cannot be read or written
├── FilmError       a film cannot be read or written
├── ModelError      a model file is missing, damaged or of another kind
├── EngineError     the engine that runs the network is missing or failed
├── OptionError     an option has no meaning here, or is out of range
├── StudioError     the studio cannot start
└── TrainingError   training cannot start or cannot go on

A message is one line that names the file or the option and says what to do.
Errors of third-party libraries are translated where they are called, ``from`` the original.
"""


class PhotochromError(Exception):
    """Base of the family: catch this to catch all of them."""


class PhotoError(PhotochromError):
    """A photograph cannot be read or written."""


class FilmError(PhotochromError):
    """A film cannot be read or written."""


class ModelError(PhotochromError):
    """A model file is missing, damaged, or not a Photochrom model."""


class EngineError(PhotochromError):
    """The engine that runs the network is not installed, or failed."""


class OptionError(PhotochromError, ValueError):
    """An option is out of its range, or the chosen model has no such dial."""


class StudioError(PhotochromError):
    """The studio cannot start, or cannot go on: its packages are missing, its address is taken, its disk is full."""


class TrainingError(PhotochromError):
    """Training cannot start or cannot go on."""
