"""A thousand nodes colour ten million scans: a discrete-event simulation of nodes that fail and straggle.

    python benchmarks/cluster_simulation.py [--nodes 1000] [--items 10000000] [--shards 8] [--seconds 0.24] [--cores 8]

Assumptions:

- The scheduler assigns a shard (``--shard I/N``, or its own list) to each free node. A node has a worker on each core;
  the sizes of shards vary like those of hash buckets. ``--shards`` is the number of shards per node.
- A shard takes ``--start`` seconds to start, and ``--listing`` seconds for each item of the whole source: 0 if each
  shard has its own list, 0.000022 (measured by ``benchmarks/batch.py listing``) if each lists the whole folder.
- An item takes the measured seconds of one core, with a log-normal spread (sigma 0.5) over sizes of scans; the time of
  a chunk of items is drawn from the normal distribution that their sum approaches. Bad files (0.1 %) take a tenth.
- Of all nodes, 2 % straggle: they work at half the speed.
- A node fails at a constant rate (1 % an hour). Its items in progress, one per core, are lost, and with a remote target
  also rows of the last minute that were not copied yet. Its shard goes to the next free node, which first reads the
  report (65 microseconds a row, measured by ``benchmarks/batch.py resume``). Five minutes later the node is back.
- Reading and writing are part of an item's seconds, and storage is assumed to be fast enough. The required bandwidth is
  printed.
- Items of a shard are never taken over by another node, so the last shard determines the total time.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random
from dataclasses import dataclass

CHUNK_S = 60.0  # simulated at once, as the report is copied once a minute
REPLACED_S = 300.0  # until a failed node is back
ROW_READ_S = 6.5e-5
ROW_BYTES = 840
SPREAD = 0.5  # sigma of the log-normal distribution of an item's time
BAD = 0.001  # share of bad files


@dataclass
class Shard:
    """A part of the items."""

    left: int
    """Number of items that are not finished."""
    done: int = 0
    """Number of finished items."""


@dataclass
class Cluster:
    """Totals over all nodes."""

    busy: float = 0.0
    """Seconds for which nodes were reserved, each until it found the queue empty."""
    last: float = 0.0
    """Seconds until the last shard ended."""
    lost_items: int = 0
    """Number of items in progress that failed nodes lost."""
    failures: int = 0


def simulate(args: argparse.Namespace) -> dict[str, float]:
    """Simulate the run of all shards to their ends, and return the figures to print, by name."""
    chance, count = random.Random(args.seed), args.nodes * args.shards
    mean, per_shard = args.seconds * (1 - 0.9 * BAD), args.items / count
    queue = [Shard(max(0, round(chance.gauss(per_shard, math.sqrt(per_shard))))) for _ in range(count)]
    total, cluster = sum(shard.left for shard in queue), Cluster()
    speeds = [0.5 if chance.random() < args.stragglers else 1.0 for _ in range(args.nodes)]
    free = [(0.0, node) for node in range(args.nodes)]  # when each node takes its next shard
    while free:
        now, node = heapq.heappop(free)
        if not queue:
            cluster.busy += now
            continue
        end, is_lost = work(now, queue.pop(), args.cores * speeds[node] / mean, queue, cluster, args, chance)
        cluster.last = max(cluster.last, end)
        if is_lost:
            speeds[node] = 0.5 if chance.random() < args.stragglers else 1.0
        heapq.heappush(free, (end + REPLACED_S * is_lost, node))
    useful = total * mean / args.cores
    return {
        "hours until all is done": cluster.last / 3600,
        "core-hours of work": useful * args.cores / 3600,
        "efficiency until all is done, %": 100 * useful / (cluster.last * args.nodes),
        "efficiency of nodes that are given back when no shard is left, %": 100 * useful / cluster.busy,
        "nodes that failed": cluster.failures,
        "items coloured twice": cluster.lost_items,
        "items coloured twice, %": 100 * cluster.lost_items / total,
        "error rows": total * BAD,
        "report, GB": total * ROW_BYTES / 1e9,
        "read and written at the peak, GB/s each way": args.nodes * args.cores / mean * args.megabytes / 1e3,
    }


def work(
    now: float,
    shard: Shard,
    rate: float,
    queue: list[Shard],
    cluster: Cluster,
    args: argparse.Namespace,
    chance: random.Random,
) -> tuple[float, bool]:
    """Work on a shard at ``rate`` items a second, from ``now`` on.

    If the node fails, the shard returns to the queue, and the losses are added to the totals of the cluster.

    Returns:
        The time in seconds at which the shard ends or the node fails, and whether the node fails.
    """
    fails = now + chance.expovariate(args.failures / 3600) if args.failures else math.inf
    now += args.start + args.listing * args.items + ROW_READ_S * shard.done
    while shard.left:
        count = min(shard.left, max(1, round(rate * CHUNK_S)))
        seconds = max(1e-3, chance.gauss(count / rate, math.sqrt(math.expm1(SPREAD**2) * count) / rate))
        if now + seconds > fails:  # the node is gone, and the minute with it
            cluster.failures += 1
            cluster.lost_items += round(count * max(0.0, fails - now) / seconds)
            queue.append(shard)
            return max(now, fails), True
        shard.left, shard.done, now = shard.left - count, shard.done + count, now + seconds
    return now, False


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--cores", type=int, default=8)
    parser.add_argument("--shards", type=int, default=8, help="number of shards per node")
    parser.add_argument("--seconds", type=float, default=0.24, help="time of one core for an item of 12 megapixels")
    parser.add_argument("--megabytes", type=float, default=5.0, help="read and written per item")
    parser.add_argument("--start", type=float, default=20.0, help="seconds that a shard takes to start")
    parser.add_argument(
        "--listing", type=float, default=0.0, help="seconds that each start takes per item of the source"
    )
    parser.add_argument("--failures", type=float, default=0.01, help="share of nodes that fail per hour")
    parser.add_argument("--stragglers", type=float, default=0.02, help="share of nodes that work at half the speed")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in simulate(parser.parse_args()).items():
        print(f"{name}: {value:,.3g}" if value < 1000 else f"{name}: {value:,.0f}")
