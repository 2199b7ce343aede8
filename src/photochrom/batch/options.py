"""Options of a batch. The command line, the Python API and the studio build the same object."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ..colorizer.options import ColorOptions
from ..errors import OptionError
from ..photo.options import OutputOptions
from .distribute import of_shard, worker_count
from .naming import DEFAULT_NAME, check_template


@dataclass(frozen=True)
class BatchOptions:
    """How a batch is coloured and reported.

    Raises:
        OptionError: A value is out of its range.
    """

    color: ColorOptions = field(default_factory=ColorOptions)
    output: OutputOptions = field(default_factory=OutputOptions)
    negative: bool = False
    """Whether the photographs are negatives: the network sees their positives, and the luma stays a negative."""
    recolor: bool = False
    """Whether photographs that are in colour already are coloured, too; otherwise they are skipped."""
    model: str = "default"
    """Name of a model, or path of a model file."""
    device: str = "auto"
    name: str = DEFAULT_NAME
    """Name of each output, see ``naming.check_template``."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    """Globs, see ``listing.Filter``."""
    workers: int | None = None
    """Processes (or Ray actors); None: one a core, as far as the memory allows."""
    shard: tuple[int, int] | None = None
    """Number of this shard, from 1, and how many there are; None colours everything."""
    ray: bool = False
    """Whether Ray distributes the items."""
    ray_address: str | None = None
    retry_errors: bool = False
    """Whether items that failed before are tried again; they are left alone otherwise, until they change."""
    max_errors: int | float | None = None
    """Errors after which the batch ends: a number, or a share from 0 to 1 of the items done."""
    thumbnails: bool = True
    """Whether small pictures for the contact sheet are kept, about 8 kB an item."""
    report: Path | None = None
    """Folder of the report; None: the target, or for a remote target a folder of the cache."""

    def __post_init__(self) -> None:
        check_template(self.name)
        if self.workers is not None:
            worker_count(self.workers)
        if self.max_errors is not None and self.max_errors < 0:
            raise OptionError(f"max_errors is {self.max_errors}", remedy="give a number, or a share from 0 to 1")
        if self.shard is not None:
            of_shard((), *self.shard)
