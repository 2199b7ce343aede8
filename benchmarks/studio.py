"""The time from a click to the new colours, on the server, for one visitor and for ten at once.

    python benchmarks/studio.py

With a photograph of 12 megapixels and the embedded model, it prints the best of seven runs of each step: the page's
requests, from the first to the last byte, without a network. Last, ten visitors click at the same moment.
"""

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

from _tools import best_seconds, print_table
from PIL import Image
from starlette.testclient import TestClient

from photochrom import Colorizer
from photochrom.studio.app import Settings, application

EXAMPLE = Path(__file__).parent.parent / "examples" / "dust-bowl-home.jpg"
SIZE = (4000, 3000)
VISITORS = 10
PICTURE = "picture.jpg?side=1200"  # as large as it is on the page in a window of 1400 by 900 pixels


class Page:
    """The requests of a page that shows a photograph."""

    def __init__(self, client: TestClient, upload: bytes) -> None:
        self._client, self._upload = client, upload
        self._places = (number / 1000 for number in itertools.count(100))
        client.get("/api/studio")
        self.item = self.drop()

    def drop(self) -> str:
        item = self._client.post("/api/items?name=old.jpg", content=self._upload).json()["id"]
        self._client.get(f"/api/items/{item}/{PICTURE}").raise_for_status()
        return f"/api/items/{item}"

    def get(self, path: str) -> None:
        self._client.get(f"{self.item}/{path}").raise_for_status()

    def edit(self, **change: object) -> None:
        """Change something and fetch the new picture."""
        self._client.post(f"{self.item}/edit", json=change).raise_for_status()
        self.get(PICTURE)

    def click(self, kind: str = "point") -> None:
        x = next(self._places) % 0.4 + 0.3
        corners = [[x, 0.5], [x + 0.1, 0.5], [x + 0.1, 0.7]]
        places = corners[:1] if kind == "point" else corners
        self.edit(do="marks", marks=[{"kind": kind, "color": "#7a2b22", "places": places}])

    def dial(self) -> None:
        self.edit(do="dial", dial="vividness", value=next(self._places) % 1)

    def borrow(self) -> None:
        self._client.post(f"{self.item}/reference?name=a.jpg", content=EXAMPLE.read_bytes()).raise_for_status()

    def download(self) -> None:
        self._client.post(f"{self.item}/edit", json={"do": "dial", "dial": "strength", "value": next(self._places)})
        self.get("download")

    def full_size(self) -> None:
        self._client.post(f"{self.item}/edit", json={"do": "dial", "dial": "strength", "value": next(self._places)})
        self.get("tile/3/2.jpg")


def main() -> None:
    stream = BytesIO()
    with Image.open(EXAMPLE) as image:
        image.convert("L").resize(SIZE).save(stream, "JPEG", quality=95)
    with application(Colorizer(), Settings()) as app:

        def visit() -> Page:
            return Page(TestClient(app, "http://127.0.0.1"), stream.getvalue())

        page = visit()
        steps = {
            "the page itself": lambda: page._client.get("/"),
            "drop: decode, colour, show": page.drop,
            "the other guesses": lambda: page.get("guesses"),
            "click: which colours are likely": lambda: page.get("likely?x=0.6&y=0.5"),
            "click on a likely colour": page.click,
            "a lasso": lambda: page.click("area"),
            "vividness": page.dial,
            "where it is unsure": lambda: page.get("unsure"),
            "the first tile at 100 %": page.full_size,
            "the next tile": lambda: page.get("tile/3/3.jpg"),
            "borrow colours": page.borrow,
            "download at full size": page.download,
        }
        rows = [[name, f"{1000 * best_seconds(step, 7):.0f} ms"] for name, step in steps.items()]
        print_table(["12 megapixels", "server"], [*rows, *at_once([visit() for _ in range(VISITORS)])])


def at_once(pages: list[Page]) -> Iterator[list[str]]:
    """Yield a row of the table: how long the last of several visitors waits for the answer to a click."""
    barrier = threading.Barrier(VISITORS)

    def click(page: Page) -> float:
        barrier.wait()
        start = time.perf_counter()
        page.click()
        return time.perf_counter() - start

    with ThreadPoolExecutor(VISITORS) as pool:
        waits = [max(pool.map(click, pages)) for _ in range(5)]
    yield [f"{VISITORS} visitors click at once: the last is answered after", f"{1000 * min(waits):.0f} ms"]


if __name__ == "__main__":
    main()
