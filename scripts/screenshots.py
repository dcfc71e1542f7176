"""Make the pictures of the web page in `docs/images` from a real run of the demo.

Needs Chromium and the extra `dev`. Usage: `python scripts/screenshots.py`
"""

import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "images"
PICTURES: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 1020}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 1020}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
}
LISTEN_SECONDS = 280
"""The timeline shows the last five minutes."""
LOOK_SECONDS = 21
"""What the spectrum shows."""


def main() -> None:
    """Run the demo, look at it for a while, and save the pictures."""
    port, endpoint = free_port(), f"tcp://127.0.0.1:{free_port()}"
    command = [sys.executable, "-m", "streamtag", "demo", "--endpoint", endpoint, "--port", str(port)]
    demo = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        url = f"http://127.0.0.1:{port}/"
        wait_for(url)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=shutil.which("chromium"),
                args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
            )
            time.sleep(LISTEN_SECONDS)
            for name, options in PICTURES.items():
                page = browser.new_context(**options).new_page()
                page.goto(url)
                page.wait_for_selector(".st-row-name:not(:empty)", timeout=120_000)
                time.sleep(LOOK_SECONDS)
                page.screenshot(path=FOLDER / f"dashboard-{name}.png", timeout=120_000)
                page.close()
                print(FOLDER / f"dashboard-{name}.png")
            browser.close()
    finally:
        demo.terminate()
        demo.wait()


def free_port() -> int:
    """Return a TCP port that nobody listens at."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str) -> None:
    """Wait until a page answers."""
    for _ in range(720):
        try:
            urllib.request.urlopen(url, timeout=2).close()
        except (urllib.error.URLError, TimeoutError):
            time.sleep(0.25)
        else:
            return
    raise SystemExit(f"{url} does not answer")


if __name__ == "__main__":
    main()
