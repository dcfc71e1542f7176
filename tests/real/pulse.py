"""Virtual microphones: a PulseAudio daemon of the tests' own, with ALSA names through which PortAudio sees them."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.real.servers import Program, program_path, wait_until


class Pulse:
    """A sound server whose microphones hear what is played into them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._socket = folder / "pulse.sock"
        self._asound = folder / "asound.conf"
        self._modules: dict[str, list[str]] = {}
        (folder / "run").mkdir(mode=0o700)
        self.name_devices()
        (folder / "default.pa").write_text(
            f"load-module module-native-protocol-unix socket={self._socket} auth-anonymous=1\n"
        )
        options = "--daemonize=no --exit-idle-time=-1 --disallow-exit --use-pid-file=no --disable-shm=yes --realtime=no"
        self._daemon = Program(
            program_path("pulseaudio"), "-n", "-F", folder / "default.pa", *options.split(), "--high-priority=no"
        )

    @property
    def environment(self) -> dict[str, str]:
        return {
            "XDG_RUNTIME_DIR": str(self.folder / "run"),
            "PULSE_SERVER": f"unix:{self._socket}",
            "ALSA_CONFIG_PATH": str(self._asound),
        }

    def name_devices(self, *names: str) -> None:
        """Give PortAudio these devices, in this order, each the microphone of the same name."""
        entries = [f'pcm.{name} {{ type pulse device "{name}" hint.description "{name}" }}' for name in names]
        self._asound.write_text("\n".join(["</usr/share/alsa/alsa.conf>", *entries, ""]))

    def start(self) -> None:
        self._daemon.start()
        wait_until(lambda: self._pactl("info", check=False).returncode == 0, 60, "PulseAudio's start")

    def kill(self) -> None:
        self._daemon.kill()
        self._socket.unlink(missing_ok=True)
        self._modules.clear()

    def plug(self, name: str) -> None:
        """Add a microphone: what is played to the sink NAME_in is heard by the source NAME."""
        sink = ["module-null-sink", f"sink_name={name}_in", "rate=48000", "channels=1"]
        source = ["module-remap-source", f"master={name}_in.monitor", f"source_name={name}"]
        ids = [self._pactl("load-module", *module).stdout.strip() for module in (sink, source)]
        self._modules[name] = ids[::-1]

    def unplug(self, name: str) -> None:
        for module in self._modules.pop(name):
            self._pactl("unload-module", module)

    def suspend(self, name: str, suspended: bool) -> None:
        """Let a microphone give nothing, and no sign of it."""
        self._pactl("suspend-source", name, str(int(suspended)))

    @contextmanager
    def playing(self, name: str, frequency: int = 440) -> Iterator[None]:
        """Play a tone into a microphone."""
        tone = f"sine=frequency={frequency}:sample_rate=48000"
        command = (
            f"ffmpeg -v quiet -f lavfi -i {tone} -f s16le - | paplay --raw --rate=48000 --channels=1 --device={name}_in"
        )
        player = subprocess.Popen(["sh", "-c", command], env=os.environ | self.environment, start_new_session=True)
        try:
            yield
        finally:
            os.killpg(player.pid, 15)
            player.wait()

    def _pactl(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        environment = os.environ | self.environment
        return subprocess.run(["pactl", *command], env=environment, capture_output=True, text=True, check=check)


@contextmanager
def pulse_server(folder: Path) -> Iterator[Pulse]:
    """Run PulseAudio, and let this process's PortAudio find it."""
    pulse = Pulse(folder)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in pulse.environment.items():
            patch.setenv(name, value)
        pulse.start()
        try:
            yield pulse
        finally:
            pulse.kill()
