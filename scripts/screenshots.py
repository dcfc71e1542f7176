"""Make the pictures of the web page in `docs/images`: live from a run of the demo, the other views from a made service.

Needs Chromium and the extra `dev`. Usage: `python -m scripts.screenshots [live] [views]`
"""

import shutil
import socket
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

from scripts.made_site import make_site
from streamtag.program import Program

FOLDER = Path(__file__).parents[1] / "docs" / "images"
PICTURES: dict[str, dict[str, Any]] = {
    "light": {"viewport": {"width": 1280, "height": 1020}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1280, "height": 1020}, "color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light", "device_scale_factor": 2},
}
VIEWS = ("streams", "day", "history", "teach")
NEWEST_SECONDS = 45
"""Until the made service has clips and embeddings."""
LISTEN_SECONDS = 280
"""The timeline shows the last five minutes."""
LOOK_SECONDS = 21
"""What the spectrum shows."""


def main() -> None:
    """Make the pictures that are asked for, or all."""
    wanted = sys.argv[1:] or ["live", "views"]
    if "live" in wanted:
        show_live()
    if "views" in wanted:
        show_views()


def show_live() -> None:
    """Run the demo, look at it for a while, and save the pictures."""
    port, endpoint = free_port(), f"tcp://127.0.0.1:{free_port()}"
    with running("demo", "--endpoint", endpoint, "--port", port), browser_of(port) as browser:
        time.sleep(LISTEN_SECONDS)
        for name, options in PICTURES.items():
            page = browser.new_context(**options).new_page()
            page.goto(f"http://127.0.0.1:{port}/")
            page.wait_for_selector(".st-row-name:not(:empty)", timeout=120_000)
            time.sleep(LOOK_SECONDS)
            save(page, f"dashboard-{name}")


def show_views() -> None:
    """Run a service of twelve streams with a month's history, and save a picture of each of the other views."""
    with TemporaryDirectory() as folder:
        config = make_site(Path(folder))
        port = free_port()
        with (
            running("run", config),
            running("--config", config, "dashboard", "--port", port, "--allow-write"),
            browser_of(port) as browser,
        ):
            time.sleep(NEWEST_SECONDS)
            for name, options in PICTURES.items():
                for view in VIEWS:
                    page = browser.new_context(**options).new_page()
                    page.goto(f"http://127.0.0.1:{port}/#{view}")
                    page.wait_for_selector(f"#st-{view} .st-view", timeout=120_000)
                    if view == "teach":
                        mark(page)
                    page.wait_for_load_state("networkidle")
                    time.sleep(3)
                    save(page, f"{view}-{name}")


def mark(page: Page) -> None:
    """Mark a span of live sound as an example."""
    time.sleep(LOOK_SECONDS)
    page.get_by_role("button", name="Mark in these 20 s").click()
    page.get_by_role("button", name="This is it").click()
    page.get_by_role("combobox", name="Name").fill("Our doorbell")


def save(page: Page, name: str) -> None:
    """Save a picture in few colours, which is a third of its size."""
    path = FOLDER / f"{name}.png"
    page.screenshot(path=path, timeout=120_000)
    with Image.open(path) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    small.save(path, optimize=True)
    page.close()
    print(path)


@contextmanager
def running(*arguments: object) -> Iterator[None]:
    """Run a `streamtag` command."""
    command = [sys.executable, "-m", "streamtag", *map(str, arguments)]
    with Program(command):
        yield


@contextmanager
def browser_of(port: int) -> Iterator[Browser]:
    """Start Chromium once a page answers."""
    wait_for(f"http://127.0.0.1:{port}/")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium-headless-shell") or shutil.which("chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"],
        )
        yield browser
        browser.close()


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
