"""Options of a batch, shared by the command line, the Python API and the studio."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path

from ..colorizer.options import ColorOptions
from ..errors import OptionError
from ..photo.options import OutputOptions
from .naming import DEFAULT_NAME, check_template


@dataclass(frozen=True)
class BatchOptions:
    """Options of a batch: how to colour, name, distribute and report its items.

    Raises:
        OptionError: A value is out of its range, or ``name`` is not a template.
    """

    color: ColorOptions = field(default_factory=ColorOptions)
    """How to colour; items may have a vividness, a strength and hints of their own."""
    output: OutputOptions = field(default_factory=OutputOptions)
    """How to write the outputs; ``overwrite`` and ``preview`` have no effect on a batch."""
    negative: bool = False
    """Whether the photographs are negatives: the network sees their positives, and the luma stays negative."""
    recolor: bool = False
    """Whether to colour photographs that are in colour already; otherwise they are skipped."""
    model: str = "default"
    """Name of a model, or path of a model file."""
    device: str = "auto"
    """Device on which the model runs; see ``Colorizer``."""
    name: str = DEFAULT_NAME
    """Template of the outputs' names; see ``naming.check_template``."""
    include: tuple[str, ...] = ()
    """Globs, of which a file, or a row of a list, must match at least one to be coloured; empty for all. See
    ``listing.Filter``."""
    exclude: tuple[str, ...] = ()
    """Globs of files, or rows of a list, to leave out, and of folders not to enter."""
    workers: int | None = None
    """Number of processes; None for one per core, as far as the memory allows. With Ray, the maximum number of actors;
    None for one per CPU of the cluster."""
    shard: tuple[int, int] | None = None
    """Number of this shard, from 1, and number of shards; None to colour all items."""
    ray: bool = False
    """Whether to distribute the items with Ray."""
    ray_address: str | None = None
    """Address of the Ray cluster; None to join the cluster in RAY_ADDRESS, or to start Ray on this machine."""
    retry_errors: bool = False
    """Whether to retry items that failed before, or whose outputs are smaller than when they were written; otherwise
    they are retried only if they, the model or the options change."""
    max_errors: int | float | None = None
    """Errors after which the batch ends: an integer for their number (0 counts as 1), or a float, 0 to 1, for their
    share of the finished items, once there are 20 of these. None for no limit."""
    thumbnails: bool = True
    """Whether to keep thumbnails for the contact sheet, about 8 kB per item."""
    report: Path | None = None
    """Folder for the report; None for the target, or for a cache folder if the target is remote."""

    def __post_init__(self) -> None:
        check_template(self.name)
        if self.workers is not None and self.workers < 1:
            raise OptionError(f"workers is {self.workers}", remedy="give 1 or more")
        most = 1 if isinstance(self.max_errors, float) else math.inf
        if self.max_errors is not None and not 0 <= self.max_errors <= most:  # refuses NaN, too
            raise OptionError(f"max_errors is {self.max_errors}", remedy="give a number, or a share from 0 to 1")
        number, count = self.shard or (1, 1)
        if not 1 <= number <= count:
            raise OptionError(f"shard is {number}/{count}", remedy=f"give a number from 1 to {count}")
