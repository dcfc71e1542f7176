"""A real RTSP server that plays a tone; run by the distribution's own Python, which has GStreamer's bindings.

usage: rtsp_server.py PORT [--udp-only] PAYLOADER...
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtsp", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtsp, GstRtspServer  # noqa: E402

udp_only = "--udp-only" in sys.argv
port, *words = [word for word in sys.argv[1:] if word != "--udp-only"]
payloader = " ".join(words)
Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( audiotestsrc is-live=true freq=440 ! audio/x-raw,rate=48000,channels=1 ! {payloader} name=pay0 )"
)
factory.set_shared(True)
if udp_only:  # as some cameras are: 461 Unsupported Transport to whoever asks for TCP
    factory.set_protocols(GstRtsp.RTSPLowerTrans.UDP)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
server.get_mount_points().add_factory("/tone", factory)
server.attach(None)
GLib.MainLoop().run()
