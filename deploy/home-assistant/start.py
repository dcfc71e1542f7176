"""Streamtag as an app of Home Assistant: from the app's options and the Supervisor's broker to a service and its page.

The configuration is `streamtag.toml` in the app's own configuration folder: the user's, and the page's thresholds are
saved there. At each start the options' streams and labels and the broker of the Supervisor are written into it.
"""

import argparse
import grp
import json
import logging
import os
import pwd
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tomlkit

INGRESS = "172.30.32.2"
PORT = 7860
ACCOUNT = "streamtag"
_NEW = """# Streamtag's configuration; docs/configuration.md has every key.
# What the app's options say, and the broker, is written here at each start; the rest is yours.
[service]
endpoint = "tcp://127.0.0.1:5556"
name = "homeassistant"
"""

logger = logging.getLogger("start")


def ask_mqtt(supervisor: str, token: str) -> dict[str, Any] | None:
    """Ask the Supervisor for the broker: host, port, username, password, ssl; None where it has none."""
    asked = urllib.request.Request(f"{supervisor}/services/mqtt", headers={"Authorization": f"Bearer {token}"})
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:
            told = json.load(answer)
    except urllib.error.HTTPError as error:
        error.close()
        logger.info("the Supervisor knows no broker (%d): nothing is told over MQTT", error.code)
        return None
    except (OSError, ValueError) as error:
        logger.warning("the Supervisor does not answer (%s): nothing is told over MQTT", type(error).__name__)
        return None
    data = told.get("data") if isinstance(told, dict) else None
    return data if isinstance(data, dict) and data.get("host") else None


def configure(path: Path, options: Mapping[str, Any], broker: Mapping[str, Any] | None, data: Path) -> None:
    """Write options and broker into the configuration, and leave the rest of it as it is.

    Args:
        path: The configuration; made where there is none.
        options: The app's.
        broker: What the Supervisor told.
        data: The app's own folder: for the history, and for the broker's password.
    """
    document = tomlkit.parse(path.read_text() if path.is_file() else _NEW)
    history = document.setdefault("history", tomlkit.table())
    history.setdefault("path", str(data / "history.sqlite"))
    history["clips"] = bool(options.get("clips", False))
    chosen = {stream["id"]: stream["source"] for stream in options.get("streams", [])}
    streams = document.setdefault("stream", tomlkit.aot())
    for stream in streams:
        if stream.get("id") in chosen:
            stream["source"] = chosen.pop(stream["id"])
    for name, source in chosen.items():
        streams.append(tomlkit.item({"id": name, "source": source}))
    if not streams:
        del document["stream"]
    if broker is not None:
        _write_broker(document, broker, list(options.get("labels", [])), data)
    write(path, tomlkit.dumps(document))


def _write_broker(document: Any, broker: Mapping[str, Any], labels: Sequence[str], data: Path) -> None:
    mqtt = document.setdefault("mqtt", tomlkit.table())
    mqtt.update({"host": str(broker["host"]), "port": int(broker.get("port", 1883)), "tls": bool(broker.get("ssl"))})
    for key in ("user", "password", "password_file"):
        mqtt.pop(key, None)
    if broker.get("username"):
        password = data / "mqtt-password"
        write(password, f"{broker.get('password', '')}\n")
        mqtt.update({"user": str(broker["username"]), "password_file": str(password)})
    if labels:
        mqtt["labels"] = labels


def write(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    new.replace(path)


def hand_over(folders: Sequence[Path]) -> dict[str, Any]:
    """Give folders to the account that listens; return how to start a process as that account."""
    try:
        account = pwd.getpwnam(ACCOUNT)
    except KeyError:
        return {}
    if os.getuid() != 0:
        return {}
    for folder in folders:
        for path in (folder, *folder.rglob("*")):
            os.chown(path, account.pw_uid, account.pw_gid, follow_symlinks=False)
    audio = [group.gr_gid for group in grp.getgrall() if group.gr_name == "audio"]
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": audio}


def run(commands: Sequence[Sequence[str]], **how: Any) -> int:
    """Run commands until one of them ends or a signal comes, and end the others; return the exit status."""
    stopped: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: stopped.append(number))
    processes = [subprocess.Popen(command, **how) for command in commands]
    while not stopped and all(process.poll() is None for process in processes):
        time.sleep(0.2)
    status = 0 if stopped else next((process.returncode for process in processes if process.returncode), 1)
    for process in processes:
        process.terminate()
    for process in processes:
        try:
            process.wait(8)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    return status


def main(arguments: Sequence[str] | None = None) -> int:
    """Start all, and stay until it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("/data"))
    parser.add_argument("--config", type=Path, default=Path("/config"))
    parser.add_argument("--supervisor", default="http://supervisor")
    parser.add_argument("--port", type=int, default=PORT)
    told = parser.parse_args(arguments)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)-7s %(message)s")
    token = os.environ.pop("SUPERVISOR_TOKEN", "")  # nobody else needs it
    os.environ.pop("HASSIO_TOKEN", None)
    found = told.data / "options.json"
    options = json.loads(found.read_text()) if found.is_file() else {}
    path = told.config / "streamtag.toml"
    configure(path, options, ask_mqtt(told.supervisor, token), told.data)
    how = hand_over([told.data, told.config])
    cache = {"XDG_CACHE_HOME": str(told.data / "cache"), "XDG_STATE_HOME": str(told.data), "HOME": str(told.data)}
    streamtag = [sys.executable, "-P", "-m", "streamtag", "--log-level", options.get("log_level", "info")]
    page = ["dashboard", "--host", "0.0.0.0", "--port", str(told.port), "--ingress", INGRESS, "--allow-write"]
    return run(
        [[*streamtag, "run", str(path)], [*streamtag, "--config", str(path), *page]],
        env={**os.environ, **cache},
        cwd=told.data,
        **how,
    )


if __name__ == "__main__":
    sys.exit(main())
