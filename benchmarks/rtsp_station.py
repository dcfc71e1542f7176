"""An RTSP server whose sound pauses now and then; run by the distribution's own Python, which has GStreamer's bindings.

usage: rtsp_station.py PORT

Its level tells when it was made, as that of `stations.py` does.
"""

import math
import random
import struct
import sys
import time

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

RATE = 16000
WAVE = [math.sin(2 * math.pi * 1000 * number / RATE) for number in range(RATE)]  # a whole number of periods
Gst.init(None)


def sound_of(begin: float, samples: int) -> bytes:
    """See `stations.sound_of`; without NumPy, and one level for each 20 ms."""
    parts = []
    for first in range(0, samples, 320):
        level = 32767 * 10 ** (((begin + (first + 160) / RATE) % 60 - 60) / 20)
        part = [round(level * WAVE[number % RATE]) for number in range(first, min(first + 320, samples))]
        parts.append(struct.pack(f"<{len(part)}h", *part))
    return b"".join(parts)


class Player:
    """Feeds one pipeline."""

    def __init__(self, source: Gst.Element) -> None:
        self.source = source
        self.sent = time.time()
        self.resumes = 0.0
        self.pauses = self.sent + random.uniform(10, 60)
        GLib.timeout_add(50, self.play)

    def play(self) -> bool:
        """Push the sound since the last call."""
        now = time.time()
        if now >= self.pauses:
            self.resumes = now + random.choice([3.0, 8.0, 25.0])
            self.pauses = self.resumes + random.uniform(10, 60)
        if now < self.resumes:
            self.sent = now
            return True
        samples = int((now - self.sent) * RATE)
        buffer = Gst.Buffer.new_wrapped(sound_of(self.sent, samples))
        self.sent += samples / RATE
        return bool(self.source.emit("push-buffer", buffer) == Gst.FlowReturn.OK)


factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    "( appsrc name=sound is-live=true do-timestamp=true format=time "
    f"caps=audio/x-raw,format=S16LE,rate={RATE},channels=1,layout=interleaved ! audioconvert ! rtpL16pay name=pay0 )"
)
factory.set_shared(True)
factory.connect("media-configure", lambda _, media: Player(media.get_element().get_by_name("sound")))
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(sys.argv[1])
server.get_mount_points().add_factory("/live", factory)
server.attach(None)
GLib.MainLoop().run()
