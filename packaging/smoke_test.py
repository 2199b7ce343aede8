"""Tries a built app as a user would: version, doctor, a photograph, and the studio's page.

python packaging/smoke_test.py dist/photochrom/photochrom
"""

import contextlib
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

EXAMPLE = Path(__file__).parents[1] / "examples" / "dust-bowl-home.jpg"
PORT = "7913"


def main(program: str) -> None:
    """Run the program, and fail where it does."""
    print(subprocess.run([program, "--version"], check=True, capture_output=True, text=True).stdout.strip())
    subprocess.run([program, "doctor"], check=True)
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder, "colored.jpg")
        subprocess.run([program, "photo", str(EXAMPLE), "-o", str(output)], check=True)
        print(f"a photograph of {output.stat().st_size:,} bytes")
    studio = subprocess.Popen([program, "studio", "--port", PORT])
    try:
        print(f"a page of {len(page()):,} bytes")
    finally:
        studio.terminate()
        studio.wait(30)


def page(seconds: float = 120) -> bytes:
    """Wait for the studio, and return its page."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{PORT}/", timeout=5) as answer:
            return answer.read()
        time.sleep(1)
    raise SystemExit("the studio does not answer")


if __name__ == "__main__":
    main(sys.argv[1])
