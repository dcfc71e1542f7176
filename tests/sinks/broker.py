"""A real Mosquitto on a free port, and what a client hears there."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.ports import free_port
from tests.real.servers import Program, TcpServer, program_path, wait_until

WAIT_SECONDS = 30.0


class Broker:
    """A broker that can be stopped and started again; over a stop it keeps nothing, unless lines of its file say so."""

    def __init__(self, folder: Path, *lines: str) -> None:
        self.port = free_port()
        config = folder / "mosquitto.conf"
        allowed = "" if any(line.startswith("password_file") for line in lines) else "allow_anonymous true\n"
        config.write_text(
            f"user root\nlistener {self.port} 127.0.0.1\n{allowed}" + "".join(f"{line}\n" for line in lines)
        )
        self._program = Program(_mosquitto(), "-c", config, port=self.port)

    def start(self) -> None:
        self._program.start()

    def stop(self) -> None:
        self._program.end()


def _mosquitto() -> str:
    # Debian puts it where only root's path leads.
    return "/usr/sbin/mosquitto" if Path("/usr/sbin/mosquitto").exists() else program_path("mosquitto")


def make_password(folder: Path, user: str, password: str) -> Path:
    """Make the broker's file of passwords."""
    path = folder / "passwords"
    path.touch(0o600)
    subprocess.run([program_path("mosquitto_passwd"), "-b", path, user, password], check=True, capture_output=True)
    return path


def losing_qos_0(port: int) -> TcpServer:
    """Make a way to a broker on which whatever is sent with QoS 0 is lost."""

    def treat(connection: socket.socket, _: int) -> None:
        with socket.create_connection(("127.0.0.1", port)) as broker, connection.makefile("rb") as said:
            back = threading.Thread(target=_pass_back, args=(broker, connection), daemon=True)
            back.start()
            while first := said.read(1):
                length, shift, head = 0, 0, first
                while True:
                    head += (byte := said.read(1))
                    length |= (byte[0] & 0x7F) << shift
                    shift += 7
                    if not byte[0] & 0x80:
                        break
                packet = head + said.read(length)
                is_publish, qos = first[0] >> 4 == 3, first[0] >> 1 & 3
                if not is_publish or qos > 0:
                    broker.sendall(packet)

    return TcpServer(treat)


def _pass_back(broker: socket.socket, client: socket.socket) -> None:
    with suppress(OSError):
        while data := broker.recv(65536):
            client.sendall(data)
    with suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)


class Ear:
    """Hears everything at a broker; says something too."""

    def __init__(self, port: int, name: str | None = None) -> None:
        """One with a name is kept a place at the broker while one of the two is away."""
        self.heard: list[tuple[str, str, bool]] = []
        self._is_there = False
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=name or "", clean_session=name is None)
        self._client.on_connect = lambda client, *_: client.subscribe("#", 1)
        self._client.on_subscribe = self._arrive
        self._client.on_message = self._hear
        self._client.reconnect_delay_set(1, 1)
        self._client.connect_async("127.0.0.1", port)
        self._client.loop_start()
        wait_until(lambda: self._is_there, WAIT_SECONDS, "the ear's subscription")

    def _arrive(self, *_: Any) -> None:
        self._is_there = True

    def _hear(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        self.heard.append((message.topic, message.payload.decode(), message.retain))

    def of(self, topic: str) -> list[str]:
        """Everything that was said at a topic, in order."""
        return [payload for each, payload, _ in self.heard if each == topic]

    def newest(self, topic: str) -> str | None:
        said = self.of(topic)
        return said[-1] if said else None

    def wait(self, topic: str, payload: str | None = None) -> str:
        """Wait until the newest of a topic is this, or anything."""
        wait_until(
            lambda: self.newest(topic) is not None and payload in (None, self.newest(topic)),
            WAIT_SECONDS,
            f"{payload} at {topic}, where {self.of(topic)} was said",
        )
        return str(self.newest(topic))

    def until(self, condition: Callable[[], object], what: str) -> None:
        wait_until(condition, WAIT_SECONDS, what)

    def say(self, topic: str, payload: str, *, retain: bool = False) -> None:
        self._client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    def retained(self) -> dict[str, str]:
        """What the broker keeps now."""
        self.heard.clear()
        self._is_there = False
        self._client.unsubscribe("#")
        self._client.subscribe("#", 1)
        wait_until(lambda: self._is_there, WAIT_SECONDS, "another subscription")
        time.sleep(0.3)  # what is retained follows, and its end is not told
        return {topic: payload for topic, payload, retain in self.heard if retain and not topic.startswith("$SYS")}

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
