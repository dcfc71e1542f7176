"""A real RTSP server that plays a tone; run by the distribution's own Python, which has GStreamer's bindings.

usage: rtsp_server.py PORT PAYLOADER...
"""

import sys

import gi

gi.require_version("Gst", "1.0")
gi.require_version("GstRtspServer", "1.0")
from gi.repository import GLib, Gst, GstRtspServer  # noqa: E402

port, payloader = sys.argv[1], " ".join(sys.argv[2:])
Gst.init(None)
factory = GstRtspServer.RTSPMediaFactory()
factory.set_launch(
    f"( audiotestsrc is-live=true freq=440 ! audio/x-raw,rate=48000,channels=1 ! {payloader} name=pay0 )"
)
factory.set_shared(True)
server = GstRtspServer.RTSPServer()
server.set_address("127.0.0.1")
server.set_service(port)
server.get_mount_points().add_factory("/tone", factory)
server.attach(None)
GLib.MainLoop().run()
