"""From a click to the new colours: time on the server, and for ten visitors at once.

    python benchmarks/studio.py

A photograph of 12 megapixels, the embedded model. Of each step the best of seven runs: the handler that Gradio calls,
from its arguments to the files that the page then asks for. Last, ten visitors who click at the same moment.
"""

import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import gradio as gr
from _tools import best_seconds, print_table
from PIL import Image

from photochrom import Colorizer
from photochrom.colorizer.reference import References
from photochrom.studio.sessions.photo import guesses, open_session, read_in_color
from photochrom.studio.sessions.slots import SessionSlot
from photochrom.studio.state import AppState, Disk
from photochrom.studio.tabs.canvas import ASK, IN_COLOR, PUT
from photochrom.studio.tabs.photo import PhotoTab

EXAMPLE = Path(__file__).parent.parent / "examples" / "dust-bowl-home.jpg"
SIZE = (4000, 3000)
VISITORS = 10


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, gr.Blocks():
        shown, kept = Path(folder, "shown"), Path(folder, "kept")
        shown.mkdir()
        kept.mkdir()
        upload = Path(folder, "old.jpg")
        with Image.open(EXAMPLE) as image:
            image.convert("L").resize(SIZE).save(upload, quality=95)
        colorizer = Colorizer()
        disk, most, ending = Disk(Path(folder), 10**12), 10**9, threading.Event()
        tab = PhotoTab(AppState(colorizer, References(colorizer), shown, kept, disk, most, most, ending))
        session = open_session(colorizer, upload, kept, 10**9).at(0.6, 0.5)
        session = replace(session, guesses=guesses(colorizer, session))
        measure(tab, upload, session, read_in_color(EXAMPLE, 10**9))


def measure(tab, upload, session, reference):
    place = gr.SelectData(None, {"index": [700, 600], "value": None})
    swatch = gr.EventData(None, {"color": "#7a2b22"})
    guessed = session.choose(guess=session.guesses[0]).with_prediction(tab._state.colorizer)
    visit = SessionSlot("")
    visit.session = session
    canvas = tab.canvas
    steps = {
        "drop: decode, colour, show": lambda: tab.open(str(upload)),
        "the other guesses": lambda: tab.guess(visit),
        "click: a colour, at a place": lambda: canvas.click(session, IN_COLOR, PUT, "#7a2b22", place),
        "click: which colours are likely": lambda: canvas.click(session, IN_COLOR, ASK, "#7a2b22", place),
        "click on a likely colour": lambda: canvas.put_likely(session, IN_COLOR, swatch),
        "the same, another guess chosen": lambda: canvas.put_likely(guessed, IN_COLOR, swatch),
        "vividness": lambda: canvas._turner("vividness")(session, IN_COLOR, 0.8),
        "borrow colours": lambda: tab._studio.references.borrow(session.picture.thumbnail, reference),
        "download at full size": lambda: tab.full_size(session),
    }
    rows = [[name, f"{1000 * best_seconds(step, 7):.0f} ms"] for name, step in steps.items()]
    print_table(["12 megapixels", "server"], [*rows, *at_once(tab, session, swatch)])


def at_once(tab, session, swatch):
    """The longest that one of several visitors waits for a click."""
    barrier = threading.Barrier(VISITORS)

    def visit(_):
        barrier.wait()
        start = time.perf_counter()
        tab.canvas.put_likely(replace(session), IN_COLOR, swatch)
        return time.perf_counter() - start

    with ThreadPoolExecutor(VISITORS) as pool:
        waits = [max(pool.map(visit, range(VISITORS))) for _ in range(5)]
    yield [f"{VISITORS} visitors click at once: the last is answered after", f"{1000 * min(waits):.0f} ms"]


if __name__ == "__main__":
    main()
