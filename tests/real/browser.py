"""A service, its web page and a real browser."""

import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Playwright, expect

from streamtag.errors import HistoryError
from streamtag.history import HistoryReader
from tests.ports import free_port
from tests.real.servers import answers, wait_until

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "streamtag" / "bundles" / "default" / "demo.flac"
PATIENCE_MS = 60_000
"""The machine may be slow at any moment."""
expect.set_options(timeout=PATIENCE_MS)

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-gpu",
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
    "--autoplay-policy=no-user-gesture-required",
]


class Command:
    """A `streamtag` command as a process of its own, with its log."""

    def __init__(self, folder: Path, *arguments: object) -> None:
        self._command = [sys.executable, "-m", "streamtag", *map(str, arguments)]
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self._log = folder / f"{arguments[0]}-{id(self):x}.log"

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=self._folder, stdout=log, stderr=log)

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        return self._end(signal.SIGTERM)

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        self._process.send_signal(number)
        status = self._process.wait(60)
        self._process = None
        return status


class PageServer:
    """The page alone, which shows the service of a configuration and waits for one that does not run."""

    def __init__(self, config: Path, *options: object) -> None:
        self.config = config
        self.port = free_port()
        self.url = f"{'https' if '--tls-cert' in options else 'http'}://127.0.0.1:{self.port}/"
        self.page = Command(config.parent, "--config", config, "dashboard", "--port", self.port, *options)

    def __enter__(self) -> Self:
        self.page.start()
        try:
            wait_until(self.is_up, 120, f"the page at {self.port}")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.page.kill()

    def is_up(self) -> bool:
        return answers(self.port)


class Site(PageServer):
    """A running service, and a page that looks at it."""

    def __init__(self, folder: Path, *page_options: object, streams: str = "") -> None:
        super().__init__(configured(folder, streams), *page_options)
        self.folder = folder
        self.service = Command(folder, "run", self.config)

    def __enter__(self) -> Self:
        self.service.start()
        return super().__enter__()

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.service.kill()

    def is_up(self) -> bool:
        try:  # before there is a history the page refuses searches, which the browser notes as a problem
            HistoryReader(self.folder / "history.sqlite").size()
        except HistoryError:
            return False
        return super().is_up()


def configured(folder: Path, streams: str = "") -> Path:
    """Write the configuration of a service with ports of its own and a history."""
    path = folder / "streamtag.toml"
    path.write_text(
        f'# Ours\n[service]\nendpoint = "tcp://127.0.0.1:{free_port()}"\ninput = "tcp://127.0.0.1:{free_port()}"\n'
        "processes = 1\n\n"
        f'[history]\npath = "history.sqlite"\nclips = true\nclip_seconds = 1.0\n\n{streams}'
    )
    return path


@contextmanager
def browser(playwright: Playwright, microphone: Path) -> Iterator[Browser]:
    """Start Chromium; its microphone hears a WAV file, again and again.

    Its shell without a window is the same engine and leaves out what nobody sees, a third of the work.
    """
    found = next(filter(None, map(shutil.which, ("chromium-headless-shell", "chromium", "chromium-browser"))), None)
    sound = f"--use-file-for-fake-audio-capture={microphone}"
    chromium = playwright.chromium.launch(executable_path=found, args=[*_ARGUMENTS, sound])
    yield chromium
    chromium.close()


class Visitor:
    """One person's browser window; remembers what went wrong and what was asked of other machines.

    It asks for little motion, which is a third of a live page's work, unless `options` say otherwise.
    """

    def __init__(self, browser: Browser, url: str, **options: Any) -> None:
        options = {"reduced_motion": "reduce", **options}
        self.context = browser.new_context(permissions=["microphone"], **options)
        self.context.set_default_timeout(PATIENCE_MS)
        self.page: Page = self.context.new_page()
        self.problems: list[str] = []
        self.hosts: set[str | None] = set()
        self.page.on("pageerror", lambda error: self.problems.append(str(error)))
        self.page.on("console", self._note)
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.goto(url)

    def come(self, url: str) -> None:
        """Begin anew. A browser that has shown a page once shows it again with less than half of the work."""
        self.problems.clear()
        self.hosts.clear()
        self.page.emulate_media(reduced_motion="reduce")
        self.page.goto(url)

    def leave(self) -> None:
        """Leave with all that the page keeps: whoever comes next finds nothing of it."""
        self.page.unroute_all()
        self.page.evaluate("localStorage.clear()")
        self.page.goto("about:blank")
        self.context.clear_cookies()

    def _note(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.problems.append(f"{message.text} ({message.location.get('url', '')})")

    def open(self, tab: str) -> None:
        self.page.get_by_role("tab", name=tab).click()

    def close(self) -> None:
        self.context.close()
