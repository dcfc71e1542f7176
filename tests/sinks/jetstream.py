"""A real NATS server with JetStream on a free port, and what its streams hold."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

import nats
from nats.aio.client import Client
from nats.js.api import StreamConfig

from tests.ports import free_port
from tests.real.servers import Program, program_path

_T = TypeVar("_T")


class NatsServer:
    """A server that can be stopped and started again; its streams are on disk."""

    def __init__(self, folder: Path, more: str = "") -> None:
        self.port = free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        config = folder / "nats.conf"
        config.write_text(
            f'listen: "127.0.0.1:{self.port}"\njetstream {{ store_dir: "{folder / "streams"}" }}\n{more}\n'
        )
        self._program = Program(_program(), "-c", config, port=self.port)

    def start(self) -> None:
        self._program.start()

    def kill(self) -> None:
        self._program.kill()

    def ask(self, question: Callable[[Client], Awaitable[_T]], **options: Any) -> _T:
        """Ask as any client may."""

        async def run() -> _T:
            client = await nats.connect(self.url, **options)
            try:
                return await question(client)
            finally:
                await client.close()

        return asyncio.run(run())

    def make_stream(self, name: str, subject: str, **more: Any) -> None:
        async def make(client: Client) -> None:
            await client.jetstream().add_stream(StreamConfig(name=name, subjects=[subject], **more))

        self.ask(make)

    def held(self, name: str) -> list[tuple[str, dict[str, str], bytes]]:
        """Subject, headers and body of all that a stream holds, in its order."""

        async def read(client: Client) -> list[tuple[str, dict[str, str], bytes]]:
            jetstream = client.jetstream()
            state = (await jetstream.stream_info(name)).state
            found = [await jetstream.get_msg(name, seq) for seq in range(state.first_seq, state.last_seq + 1)]
            return [(each.subject or "", each.headers or {}, each.data or b"") for each in found]

        return self.ask(read)


def _program() -> str:
    # Debian puts it where only root's path leads.
    return "/usr/sbin/nats-server" if Path("/usr/sbin/nats-server").exists() else program_path("nats-server")
