"""Selects some sources of a large set of photographs as a separate set, with the same held-out photographs.

    python examples/train/domain.py PHOTOS DOMAIN SOURCE...

Writes DOMAIN/index.csv, with the rows of those sources in PHOTOS/index.csv; no photograph is copied.
"""

import csv
import sys
from pathlib import Path


def main(photographs: str, domain: str, *sources: str) -> None:
    """Write the index."""
    index, folder = Path(photographs, "index.csv").resolve(), Path(domain)
    with index.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["source"] in sources]
    if not rows:
        sys.exit(f"{index} has no photographs of {', '.join(sources)}")
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "index.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(row | {"file": index.parent / row["file"]} for row in rows)
    print(f"{folder}: {len(rows):,} photographs")


if __name__ == "__main__":
    main(*sys.argv[1:])
