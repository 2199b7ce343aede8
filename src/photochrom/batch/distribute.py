"""Ways to call ``color_shard``: processes on this machine, a part of the items on one of many machines, or Ray."""

from __future__ import annotations

import itertools
import pickle
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from ..errors import OptionError, PhotochromError
from ..machine import available_cores, free_memory, lacks_memory
from ..models.download import digest
from ..models.registry import find_model
from ..version import __version__
from .items import Item
from .report import Row, utc_now
from .shard import BatchJob, Colored, prepare
from .workers import Died, WorkerPool

_WORKER_BYTES: Final = 1.5e9  # that a process may need for a scan of 50 megapixels at 16 bits
_BLOCK: Final = 16  # items that travel to a Ray actor at once

Stop = Callable[[], bool]


def worker_count(wanted: int | None = None) -> int:
    """Return how many processes to start: as asked, else one for each core, as far as the memory allows.

    Raises:
        OptionError: Fewer than one is asked for.
    """
    if wanted is not None:
        if wanted < 1:
            raise OptionError(f"workers is {wanted}", remedy="give 1 or more")
        return wanted
    memory = free_memory()
    return available_cores() if memory is None else max(1, min(available_cores(), int(memory / _WORKER_BYTES)))


def by_processes(items: Iterable[Item], job: BatchJob, workers: int, stop: Stop) -> Iterator[Colored]:
    """Colour items in processes of this machine; results come in the order in which they end.

    Raises:
        PhotochromError: The model cannot be loaded.
    """
    with WorkerPool[Item, Colored](prepare, (job,), workers) as pool:
        yield from _colored_by(pool, items, job, stop)


def _colored_by(pool: WorkerPool[Item, Colored], items: Iterable[Item], job: BatchJob, stop: Stop) -> Iterator[Colored]:
    try:
        for item, result in pool.map(items, stop):
            yield _failed(item, job, result.reason) if isinstance(result, Died) else result
    except RuntimeError as exc:
        if lacks_memory(exc):
            raise PhotochromError(
                "there is not enough memory for a process that colours", remedy="close other programs"
            ) from exc
        raise PhotochromError(str(exc)) from exc


def _failed(item: Item, job: BatchJob, reason: str) -> Colored:
    row = Row(
        item.key,
        "error",
        item.source,
        source_size=item.size,
        source_version=item.version,
        model=f"{Path(job.model).stem}, sha256 {digest(find_model(job.model))}",  # so that it counts as tried
        options=job.options,
        photochrom=__version__,
        error=f"{item.source}: the process that coloured it {reason}",
        remedy="look at the file in another program, and report it if that opens it",
        finished=utc_now(),
    )
    return Colored(row)


def of_shard(items: Iterable[Item], number: int, count: int) -> Iterator[Item]:
    """Return the items of shard ``number`` (1 to ``count``): by a hash of their keys, so that no machine asks another.

    Raises:
        OptionError: There is no such shard.
    """
    if not 1 <= number <= count:
        raise OptionError(f"shard is {number}/{count}", remedy=f"give a number from 1 to {count}")
    return (item for item in items if item.shard(count) == number - 1)


def by_ray(
    items: Iterable[Item], job: BatchJob, address: str | None, workers: int | None, stop: Stop
) -> Iterator[Colored]:
    """Colour items by actors of a Ray cluster: paths go there, rows come back, pixels never travel.

    Each actor colours in a process of its own, so that a file that ends the process is one row. When an actor or its
    node is lost, Ray colours the items that it had in flight once more elsewhere.

    Args:
        items: Sources and target must be reachable from every node.
        job: How to colour.
        address: Address of the cluster; None starts Ray on this machine, or joins what RAY_ADDRESS names.
        workers: Actors at most; None uses every core.
        stop: Asked between results.

    Raises:
        PhotochromError: Ray is missing, or cannot be reached.
    """
    try:
        import ray
        import ray.data
    except ImportError as exc:
        raise PhotochromError("distributing over Ray needs ray", remedy="pip install 'photochrom[ray]'") from exc
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
    except Exception as exc:  # Ray raises its own, gRPC's and the system's
        raise PhotochromError(
            f"Ray cannot be reached at {address or 'this machine'} ({exc})", remedy="check the address"
        ) from exc
    blocks = list(_blocks(items))
    if not blocks:
        return
    most = workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
    dataset = ray.data.from_items([{"block": block} for block in blocks], override_num_blocks=len(blocks))
    colored = dataset.map_batches(
        _RayColorist,
        fn_constructor_args=(job,),
        batch_size=1,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(min_size=1, max_size=most),
    )
    for batch in colored.iter_batches(batch_size=None, prefetch_batches=0):
        for results in batch["results"]:
            found = pickle.loads(results)
            if isinstance(found, PhotochromError):
                raise found
            yield from found
        if stop():
            return


def _blocks(items: Iterable[Item]) -> Iterator[bytes]:
    """Items in small groups, pickled: Ray's own tables would guess at their types."""
    coming = iter(items)
    while block := list(itertools.islice(coming, _BLOCK)):
        yield pickle.dumps(block)


class _RayColorist:
    """Ray actor that hands the items of a block to a process of its own, which keeps its model loaded."""

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._pool = WorkerPool[Item, Colored](prepare, (job,), 1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"results": [pickle.dumps(self._colored(pickle.loads(block))) for block in batch["block"]]}

    def _colored(self, items: list[Item]) -> list[Colored] | PhotochromError:
        """Return the items' results, or the error that keeps all of them from being coloured, which Ray would wrap."""
        try:
            return [*_colored_by(self._pool, items, self._job, lambda: False)]
        except PhotochromError as exc:
            return PhotochromError(str(exc))
