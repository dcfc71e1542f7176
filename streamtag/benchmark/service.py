"""A real service in a process of its own, with what it costs."""

import json
import os
import socket
import tempfile
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from streamtag.command_process import CommandProcess
from streamtag.errors import StreamtagError
from streamtag.keys import ClientKey, add_client, read_client_key, write_server
from streamtag.settings import Config

__all__ = ["ServiceProcess", "free_endpoint"]

_GOODBYE_SECONDS = 5.0
_TICKS = os.sysconf("SC_CLK_TCK")


def free_endpoint() -> str:
    """Return an endpoint on this machine that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"tcp://127.0.0.1:{probe.getsockname()[1]}"


class ServiceProcess:
    """`streamtag run` with a configuration of its own; ends with the `with` block."""

    def __init__(
        self,
        config: Config,
        streams: list[dict[str, Any]],
        cores: set[int] | None = None,
        more: str = "",
        *,
        with_keys: bool = False,
    ) -> None:
        """Prepare the service.

        Args:
            config: whose model, scores and processes are used.
            streams: the `[[stream]]` tables.
            cores: the cores that it may use; all when absent.
            more: what else its configuration says; its paths are in a folder of its own.
            with_keys: let in only whoever has `key`.
        """
        self.endpoint = free_endpoint()
        self.input_endpoint = free_endpoint()
        self._cores = cores
        self._folder = tempfile.TemporaryDirectory(prefix="streamtag-bench-")
        self.key: ClientKey | None = None
        model = {"bundle": config.model.bundle, "runtime": config.model.runtime}
        ends = {"endpoint": self.endpoint, "input": self.input_endpoint}
        sections: dict[str, dict[str, Any]] = {
            "service": ends | {"processes": config.service.processes},
            "model": model | {"max_batch": config.model.max_batch, "max_wait_ms": config.model.max_wait_ms},
            "scores": {"rolling": config.scores.rolling},
        }
        if with_keys:
            keys = Path(self._folder.name, "keys")
            write_server(keys)
            self.key = read_client_key(add_client(keys, "benchmark"))
            sections["service"]["keys"] = str(keys)
        lines = [line for name, table in sections.items() for line in (f"[{name}]", *_toml(table))]
        lines += [line for table in streams for line in ("[[stream]]", *_toml(table))]
        path = Path(self._folder.name, "bench.toml")
        path.write_text("\n".join([*lines, more]) + "\n")
        self._process = CommandProcess("run", str(path), stop_seconds=_GOODBYE_SECONDS)

    def __enter__(self) -> Self:
        self._process.start()
        if self._cores is not None:
            os.sched_setaffinity(self._process.pid, self._cores)  # before it has started a thread
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.end()
        self._folder.cleanup()

    def check(self) -> None:
        """Tell whether it runs.

        Raises:
            StreamtagError: it ended; the text is its last word.
        """
        if reason := self._process.failure():
            raise StreamtagError(f"the service ended: {reason}")

    def cpu_seconds(self) -> float:
        """Return the processor time that all threads of its processes have used."""
        stats = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in self._processes()]
        return sum(int(fields[11]) + int(fields[12]) for fields in stats) / _TICKS

    def thread_count(self) -> int:
        """Return how many threads they have."""
        return sum(len(list(Path(f"/proc/{pid}/task").iterdir())) for pid in self._processes())

    def memory_megabytes(self) -> float:
        """Return their resident memory; what they share counts for each."""
        kilobytes = [
            int(line.split()[1])
            for pid in self._processes()
            for line in Path(f"/proc/{pid}/status").read_text().splitlines()
            if line.startswith("VmRSS")
        ]
        return sum(kilobytes) / 1024

    def _processes(self) -> list[int]:
        found = [self._process.pid]
        for pid in found:  # which grows by the children of those in it
            with suppress(OSError):  # a process or thread that has ended meanwhile
                for thread in Path(f"/proc/{pid}/task").iterdir():
                    found += map(int, (thread / "children").read_text().split())
        return found


def _toml(table: dict[str, Any]) -> list[str]:
    # Texts, numbers and truth values are written in TOML as in JSON.
    return [f"{key} = {json.dumps(value)}" for key, value in table.items()]
