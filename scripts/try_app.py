"""Start the image of Home Assistant's app as the Supervisor would, with stand-ins for it, its ingress and its broker.

    unshare --mount --net --pid --ipc --fork --kill-child python3 scripts/try_app.py ROOT

ROOT is the image's root file system. Needs root, iproute2 and mosquitto; in a network of its own, where the names and
addresses are those that the app finds in Home Assistant.
"""

import http.client
import http.server
import json
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

INGRESS = "172.30.32.2"
STRANGER = "172.30.32.9"
PREFIX = "/api/hassio_ingress/a-Token_1"
PASSWORD = "the broker's secret"
TOKEN = "the supervisor's secret"
PYTHON = "/opt/streamtag/bin/python"
START = (PYTHON, "-P", "/opt/streamtag/start.py")
CONFIG = """# mine
[service]
endpoint = "tcp://127.0.0.1:5556"
[[stream]]
id = "porch"
source = "zmq:"
realtime = true
loop = true
"""
# What says that it heard something, by the image's own client.
LISTEN = """
import json, sys
from paho.mqtt import subscribe
def seen(client, told, message):
    told.add(message.topic)
    if any(topic.startswith("homeassistant/") for topic in told) and any("/porch/" in topic for topic in told):
        client.disconnect()
topics = set()
subscribe.callback(seen, ["homeassistant/#", "streamtag/#"], hostname="core-mosquitto", userdata=topics,
                   auth={"username": "addons", "password": sys.argv[1]})
print(len(topics))
"""


class Supervisor(http.server.BaseHTTPRequestHandler):
    """Answers where the broker is, to whoever has the token."""

    asked: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer as the Supervisor does."""
        self.asked.append(self.path)
        known = self.path == "/services/mqtt" and self.headers.get("Authorization") == f"Bearer {TOKEN}"
        broker = {"host": "core-mosquitto", "port": "1883", "username": "addons", "password": PASSWORD, "ssl": False}
        body = json.dumps({"result": "ok" if known else "error", "data": broker if known else {}}).encode()
        self.send_response(200 if known else 403)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


def prepare(root: Path, work: Path) -> None:
    """Mount what the Supervisor would hand in, and make this network its."""
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
    for address in (INGRESS, STRANGER):
        subprocess.run(["ip", "address", "add", address, "dev", "lo"], check=True)
    subprocess.run(["mount", "-t", "proc", "proc", root / "proc"], check=True)
    subprocess.run(["mount", "--rbind", "/dev", root / "dev"], check=True)
    for name in ("data", "config", "media", "tmp"):
        (root / name).mkdir(exist_ok=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", "mode=0755", "tmpfs", root / name], check=True)
    (root / "tmp").chmod(0o1777)
    hosts = work / "hosts"
    hosts.write_text("127.0.0.1 localhost supervisor core-mosquitto\n")
    (root / "etc" / "hosts").touch()
    subprocess.run(["mount", "--bind", hosts, root / "etc" / "hosts"], check=True)
    (demo,) = root.glob("opt/streamtag/lib/python3*/site-packages/streamtag/bundles/default/demo.flac")
    shutil.copy(demo, root / "media" / "demo.flac")
    options = {
        "streams": [{"id": "porch", "source": "file:/media/demo.flac"}],
        "labels": [],
        "clips": False,
        "log_level": "info",
    }
    (root / "data" / "options.json").write_text(json.dumps(options))
    (root / "config" / "streamtag.toml").write_text(CONFIG)


def start_broker(work: Path) -> subprocess.Popen[bytes]:
    """Start a broker that wants a password."""
    passwords = work / "passwords"
    subprocess.run(["mosquitto_passwd", "-b", "-c", passwords, "addons", PASSWORD], check=True)
    passwords.chmod(0o644)
    work.chmod(0o755)
    (work / "mosquitto.conf").write_text(f"listener 1883 127.0.0.1\npassword_file {passwords}\n")
    log = (work / "mosquitto.log").open("w")
    return subprocess.Popen(["mosquitto", "-c", work / "mosquitto.conf"], stdout=log, stderr=log)


def ask(address: str) -> tuple[int, str]:
    """Ask for the page as the ingress does, from an address; return status (0: nobody is there) and text."""
    connection = http.client.HTTPConnection("127.0.0.1", 7860, timeout=20, source_address=(address, 0))
    headers = {"X-Ingress-Path": PREFIX, "X-Forwarded-Host": "home.example", "X-Forwarded-Proto": "https"}
    try:
        connection.request("GET", "/", headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode(errors="replace")
    except OSError:
        return 0, ""
    finally:
        connection.close()


def accounts(processes: Path, process: int) -> set[int]:
    """Return as whom the children of a process run."""
    children = (processes / f"{process}/task/{process}/children").read_text().split()
    return {(processes / child).stat().st_uid for child in children}


def expect(condition: object, what: str) -> None:
    """End with one line if something is not so."""
    if not condition:
        raise SystemExit(f"not so: {what}")


def wait_for(condition: Callable[[], object], what: str, seconds: float = 120) -> None:
    """Wait until something is so."""
    deadline = time.monotonic() + seconds
    while not condition():
        expect(time.monotonic() < deadline, what)
        time.sleep(0.2)


def check_sound(root: Path) -> None:
    """Look whether ALSA's way to a sound server is there, with all that it needs."""
    code = "import ctypes, sys; [ctypes.CDLL(path) for path in sys.argv[1:]]"
    plugins = [f"/{path.relative_to(root)}" for path in root.glob("usr/lib/*/alsa-lib/libasound_module_*_pulse.so")]
    expect(len(plugins) == 3, "ALSA's plug-ins for a sound server are there")
    done = subprocess.run(["chroot", str(root), PYTHON, "-c", code, *plugins], check=False)
    expect(done.returncode == 0, "ALSA's plug-ins for a sound server can be loaded")


def look(root: Path, app: subprocess.Popen[bytes]) -> None:
    """Look at what the app does."""
    wait_for(lambda: ask(INGRESS)[0] == 200 or app.poll() is not None, "the page comes up")
    expect(app.poll() is None, "the app stays up")
    text = ask(INGRESS)[1]
    expect(PREFIX in text, "the page knows the path that the ingress gave it")
    # The manifest is Gradio's, and for pages that are no frame in another.
    links = set(re.findall(r'(?:href|src)="(/[^"]*)"', text)) - {"/manifest.json"}
    foreign = [link for link in links if not link.startswith(PREFIX)]
    expect(not foreign, f"all links stay below that path: {foreign[:3]}")
    expect(ask(STRANGER)[0] == 403, "another address than the ingress's is refused")
    expect(ask("127.0.0.1")[0] == 200, "the watchdog, on this machine, sees the page")
    listen = ["chroot", str(root), PYTHON, "-c", LISTEN, PASSWORD]
    heard = subprocess.run(listen, check=True, timeout=120, capture_output=True, text=True).stdout
    expect(int(heard) > 1, "sounds are told to the broker")
    user = next(
        line.split(":") for line in (root / "etc/passwd").read_text().splitlines() if line.startswith("streamtag:")
    )
    expect(accounts(root / "proc", app.pid) == {int(user[2])}, "what listens runs as the image's user")
    config = (root / "config" / "streamtag.toml").read_text()
    expect(
        config.startswith("# mine\n") and 'source = "file:/media/demo.flac"' in config, "the options' stream is taken"
    )
    secret = root / "data" / "mqtt-password"
    expect((secret.stat().st_mode & 0o777, secret.stat().st_uid) == (0o600, int(user[2])), "the password is kept safe")
    expect(PASSWORD not in config, "the password is not in the configuration")


def main() -> None:
    """Try all of it."""
    root = Path(sys.argv[1]).resolve()
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        prepare(root, work)
        check_sound(root)
        broker = start_broker(work)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 80), Supervisor)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        environment = {"PATH": "/opt/streamtag/bin:/usr/bin:/bin", "HOME": "/root", "SUPERVISOR_TOKEN": TOKEN}
        log = work / "log"
        with log.open("w") as out:
            app = subprocess.Popen(
                [shutil.which("chroot") or "chroot", root, *START], env=environment, stdout=out, stderr=out
            )
            try:
                look(root, app)
                app.send_signal(signal.SIGTERM)
                began = time.monotonic()
                status = app.wait(30)
                expect(status == 0, f"it ends with 0 at SIGTERM, not with {status}")
                expect(time.monotonic() - began < 10, "it ends before the Supervisor would kill it")
            except BaseException:
                sys.stderr.write(log.read_text())
                raise
            finally:
                app.kill()
                broker.terminate()
                broker.wait()
        told = log.read_text()
        expect(PASSWORD not in told and TOKEN not in told, "no secret is in the log")
        expect(Supervisor.asked == ["/services/mqtt"], f"the Supervisor is asked once: {Supervisor.asked}")
    print("==> the app runs: options, broker, page through the ingress, the end")


if __name__ == "__main__":
    main()
