"""The page itself: Gradio's frame around the project's own views."""

import html
import json
import os
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

from streamtag.dashboard.gradio_loading import load_gradio

__all__ = ["STATIC", "mount_page"]

STATIC: Final = "/streamtag/static"
_VIEWS: Final = {
    "live": "Live",
    "streams": "Streams",
    "day": "Day",
    "history": "History",
    "teach": "Teach",
    "tuning": "Thresholds",
    "groups": "Groups",
    "alerts": "Alerts",
    "microphone": "My microphone",
    "recording": "Recording",
}
_LOGIN: Final = '<meta name="streamtag-login">\n'
_LISTEN: Final = '<meta name="streamtag-listen">\n'
_QUEUE_SECONDS: Final = 0.5
"""The page uses none of Gradio's queue, which would look for work a thousand times a second."""


def mount_page(app: FastAPI, folder: Path, *, with_logout: bool, with_listening: bool) -> None:
    """Add the page to an application, at its root; what Gradio keeps for a moment is kept in `folder`."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    os.environ.setdefault("PATH", os.defpath)  # in an empty environment a library of Gradio's would fail
    gr = load_gradio()
    with gr.Blocks(title="Streamtag", fill_width=True, analytics_enabled=False) as page:
        for name in ("header", "tabs", *_VIEWS):
            _add_view(gr, name)
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"])
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        head=_text("head.html") + _views() + (_LOGIN if with_logout else "") + (_LISTEN if with_listening else ""),
        footer_links=[],
        show_error=False,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
    )
    page._queue.sleep_when_free = _QUEUE_SECONDS


def _add_view(gr: Any, name: str) -> None:
    """Leave room for one of our views, which `static/main.js` puts there: what Gradio has for it evaluates texts."""
    with gr.Column(elem_id=f"st-{name}", elem_classes="st-slot"):
        pass


def _views() -> str:
    """Tell the page's scripts which views there are, and what they are called, in this order."""
    return f'<meta name="streamtag-views" content="{html.escape(json.dumps(_VIEWS))}">\n'


def _text(file: str) -> str:
    return (resources.files("streamtag.dashboard") / "static" / file).read_text(encoding="utf-8")
