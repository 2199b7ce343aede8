"""Distributes the items of a batch over processes on this machine, or over Ray."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from ..errors import PhotochromError, needed_for
from ..machine import available_cores, free_memory, lacks_memory
from ..models.download import known_digest
from ..models.registry import find_model
from ..version import __version__
from .coloring import BatchJob, Colored, prepare
from .items import Item
from .report import Row, utc_now
from .workers import Died, WorkerPool

_WORKER_BYTES: Final = 1.5e9  # memory that a process needs for a scan of 50 megapixels at 16 bits
_BLOCK: Final = 16  # number of items that are sent to a Ray actor at once

Stop = Callable[[], bool]


def worker_count(wanted: int | None = None) -> int:
    """Return the number of processes to start: ``wanted``, or by default one per core as far as the memory allows."""
    if wanted is not None:
        return wanted
    memory = free_memory()
    return available_cores() if memory is None else max(1, min(available_cores(), int(memory / _WORKER_BYTES)))


def by_processes(items: Iterable[Item], job: BatchJob, workers: int, stop: Stop) -> Iterator[Colored]:
    """Colour items in worker processes on this machine, and yield the results as they finish.

    Args:
        items: The items.
        job: How to colour.
        workers: Number of processes.
        stop: Called before each item; once it returns True, items in progress are finished and no more are begun.

    Raises:
        PhotochromError: The model cannot be loaded, there is not enough memory for a process, or one dies as it starts.
    """
    with WorkerPool[Item, Colored](prepare, (job,), workers) as pool:
        yield from _colored_by(pool, items, job, stop)


def _colored_by(pool: WorkerPool[Item, Colored], items: Iterable[Item], job: BatchJob, stop: Stop) -> Iterator[Colored]:
    """Colour items with a pool; yield the outcomes, also of items whose process died.

    Raises:
        PhotochromError: The model cannot be loaded, there is not enough memory for a process, or one dies as it starts.
    """
    try:
        for item, result in pool.map(items, stop):
            yield _failed(item, job, result.reason) if isinstance(result, Died) else result
    except RuntimeError as exc:
        if lacks_memory(exc):
            raise PhotochromError(
                "there is not enough memory for a worker process", remedy="close other programs"
            ) from exc
        raise PhotochromError(str(exc)) from exc


def _failed(item: Item, job: BatchJob, reason: str) -> Colored:
    """Return the outcome of an item whose worker process died; ``reason`` says how the process ended.

    Raises:
        ModelError: The job's model is no longer there, or cannot be read.
    """
    model = job.options.model
    row = Row(
        item.key,
        "error",
        item.source,
        source_size=item.size,
        source_version=item.version,
        model=f"{Path(model).stem}, sha256 {known_digest(find_model(model))}",  # only another model retries it
        options=job.recorded(item),
        photochrom=__version__,
        error=f"{item.source}: the process that coloured it {reason}",
        remedy="open the file in another program, and report the problem if that succeeds",
        finished=utc_now(),
    )
    return Colored(row)


def by_ray(items: Sequence[Item], job: BatchJob, stop: Stop) -> Iterator[Colored]:
    """Colour items with actors of a Ray cluster, to which no pixels are sent, only paths and report rows.

    Each actor colours in a separate process, so that if a file crashes the process, only this file's item fails. If an
    actor or its node is lost, Ray repeats the unfinished items elsewhere.

    Args:
        items: At least one item. Sources and target must be accessible from every node.
        job: How to colour; its options name the cluster, and limit the number of actors.
        stop: Called between results; once it returns True, no more are yielded.

    Raises:
        PhotochromError: Ray is missing or cannot be reached, or an actor cannot load the model.
    """
    with needed_for("distributing over Ray", "ray"):
        import ray
        import ray.data
    address = job.options.ray_address
    try:
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level="ERROR")
    except Exception as exc:  # Ray's, gRPC's or the system's
        raise PhotochromError(
            f"Ray cannot be reached at {address or 'this machine'} ({exc})", remedy="check the address"
        ) from exc
    # Pickled in small groups, since Ray would convert plain items to Arrow tables.
    blocks = [pickle.dumps(items[start : start + _BLOCK]) for start in range(0, len(items), _BLOCK)]
    most = job.options.workers or max(1, int(ray.cluster_resources().get("CPU", 1)))
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
            result = pickle.loads(results)
            if isinstance(result, PhotochromError):
                raise result
            yield from result
        if stop():
            return


class _RayColorist:
    """Ray actor that colours items in a worker process of its own, which keeps the model loaded."""

    def __init__(self, job: BatchJob) -> None:
        self._job = job
        self._pool = WorkerPool[Item, Colored](prepare, (job,), 1)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        return {"results": [pickle.dumps(self._colored(pickle.loads(block))) for block in batch["block"]]}

    def _colored(self, items: list[Item]) -> list[Colored] | PhotochromError:
        """Return the outcomes of items, or an error that affects all of them; Ray would wrap a raised error."""
        try:
            return [*_colored_by(self._pool, items, self._job, lambda: False)]
        except PhotochromError as exc:
            return PhotochromError(str(exc))
