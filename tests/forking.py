"""Processes that were forked for what decodes, as tests look for them, and a server of their own to fork from."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from streamtag import forked

RECEIVERS = "sources.receiver_process"
TAGGING = "tagging.worker"


def forked_for(owner: int, module: str) -> list[int]:
    """Return the processes that run a module of the package for `owner`; they are its server's children."""
    return [
        process
        for server in _children(owner)
        if b"streamtag.fork_server" in _read(server, "cmdline")
        for process in _children(server)
        if _read(process, "comm").decode().strip() == module[:15]  # as much as the system keeps
    ]


def _children(process: int) -> list[int]:
    found: list[int] = []
    with suppress(OSError):  # it has ended
        for thread in Path(f"/proc/{process}/task").iterdir():
            with suppress(OSError):
                found += map(int, (thread / "children").read_text().split())
    return found


def _read(process: int, name: str) -> bytes:
    with suppress(OSError):
        return Path(f"/proc/{process}/{name}").read_bytes()
    return b""


@contextmanager
def own_fork_server() -> Iterator[None]:
    """Fork from a server that starts with the environment and in the folder of now."""
    kept, forked._server = forked._server, None
    try:
        yield
    finally:
        if forked._server is not None:
            forked._server.close()
        forked._server = kept
