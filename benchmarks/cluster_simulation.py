"""A thousand nodes colour ten million scans: a discrete-event simulation of shards that fail and straggle.

    python benchmarks/cluster_simulation.py [--nodes 1000] [--items 10000000] [--seconds 0.24] [--cores 8]

Assumptions:

- Every node colours one shard (``--shard I/N``) with a worker on each core; shards differ in size as hashes do.
- An item takes the measured seconds of one core, with a log-normal spread (sigma 0.5) over sizes of scans; the time of
  a chunk of items is drawn from the normal distribution that their sum approaches. Bad files (0.1 %) take a tenth.
- Of all nodes, 2 % straggle: they work at half the speed.
- A node fails at a constant rate (1 % an hour). Its items in flight, one a core, are lost, and so are rows of the last
  minute that were not copied yet where the target is remote. Another node takes the shard over after five minutes, and
  first reads the report (10 microseconds a row, measured by ``benchmarks/batch.py resume``) and starts (20 s).
- Reading and writing are part of an item's seconds; the store is as fast as asked. The bandwidth needed is printed.
- Nobody takes work from a straggler: without coordination the slowest shard decides when all is done.
"""

from __future__ import annotations

import argparse
import heapq
import math
import random

CHUNK_S = 60.0  # simulated at once, as the report is copied once a minute
RESTART_S = 300.0
START_S = 20.0
ROW_READ_S = 1e-5
ROW_BYTES = 900
SPREAD = 0.5
BAD = 0.001


def simulate(args: argparse.Namespace) -> dict[str, float]:
    """Run all shards to their ends; time is in seconds."""
    chance = random.Random(args.seed)
    mean, per_node = args.seconds * (1 - 0.9 * BAD), args.items / args.nodes
    left = [max(0, round(chance.gauss(per_node, math.sqrt(per_node)))) for _ in range(args.nodes)]
    total, done = list(left), [0] * args.nodes
    speed = [0.5 if chance.random() < args.stragglers else 1.0 for _ in range(args.nodes)]
    failing = args.failures / 3600
    events = [(START_S, node) for node in range(args.nodes)]
    heapq.heapify(events)
    lost_items = failures = 0
    ends = [0.0] * args.nodes
    while events:
        now, node = heapq.heappop(events)
        rate = args.cores * speed[node] / mean
        count = min(left[node], max(1, round(rate * CHUNK_S)))
        if not count:
            ends[node] = now
            continue
        spread = mean * math.sqrt(math.expm1(SPREAD**2) * count) / (args.cores * speed[node])
        seconds = max(1e-3, chance.gauss(count / rate, spread))
        until = chance.expovariate(failing) if failing else math.inf
        if until < seconds:  # the node is gone, and the minute with it
            failures += 1
            lost_items += round(count * until / seconds) + args.cores
            speed[node] = 0.5 if chance.random() < args.stragglers else 1.0
            heapq.heappush(events, (now + until + RESTART_S + START_S + ROW_READ_S * done[node], node))
            continue
        left[node] -= count
        done[node] += count
        heapq.heappush(events, (now + seconds, node))
    assert done == total  # nothing lost, nothing twice
    items, last = sum(total), max(ends)
    useful = items * mean / args.cores
    usual = sorted(ends)
    return {
        "hours until all is done": last / 3600,
        "hours until half of the shards are done": usual[len(usual) // 2] / 3600,
        "hours until 95 % of the shards are done": usual[int(0.95 * len(usual))] / 3600,
        "core-hours of work": useful * args.cores / 3600,
        "efficiency until all is done, %": 100 * useful / (last * args.nodes),
        "efficiency of nodes that end with their shard, %": 100 * useful / sum(ends),
        "nodes that failed": failures,
        "items coloured twice": lost_items,
        "items coloured twice, %": 100 * lost_items / items,
        "error rows": items * BAD,
        "report, GB": items * ROW_BYTES / 1e9,
        "read and written at the peak, GB/s each way": args.nodes * args.cores / mean * args.megabytes / 1e3,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--nodes", type=int, default=1000)
    parser.add_argument("--items", type=int, default=10_000_000)
    parser.add_argument("--cores", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.24, help="of one core for an item of 12 megapixels")
    parser.add_argument("--megabytes", type=float, default=5.0, help="of an item")
    parser.add_argument("--failures", type=float, default=0.01, help="share of nodes an hour")
    parser.add_argument("--stragglers", type=float, default=0.02, help="share of nodes")
    parser.add_argument("--seed", type=int, default=0)
    for name, value in simulate(parser.parse_args()).items():
        print(f"{name}: {value:,.3g}" if value < 1000 else f"{name}: {value:,.0f}")
