"""The page itself: Gradio's frame and tabs around the project's own views."""

import os
from importlib import resources
from pathlib import Path
from typing import Any, Final

from fastapi import FastAPI

__all__ = ["STATIC", "mount_page"]

STATIC: Final = "/streamtag/static"
_VIEWS: Final = {
    "live": "Live",
    "history": "History",
    "tuning": "Thresholds",
    "alerts": "Alerts",
    "microphone": "My microphone",
    "recording": "Recording",
}
_LOGIN: Final = '<meta name="streamtag-login">\n'
_QUEUE_SECONDS: Final = 0.5
"""The page uses none of Gradio's queue, which would look for work a thousand times a second."""


def mount_page(app: FastAPI, folder: Path, *, with_logout: bool) -> None:
    """Add the page to an application, at its root; what Gradio keeps for a moment is kept in `folder`."""
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "gradio")
    os.environ.setdefault("PATH", os.defpath)  # in an empty environment a library of Gradio's would fail
    import gradio as gr

    with gr.Blocks(title="Streamtag", fill_width=True, analytics_enabled=False) as page:
        _place(gr, "header")
        with gr.Tabs(elem_id="st-tabs"):
            for name, title in _VIEWS.items():
                with gr.Tab(title, id=name, elem_id=f"st-tab-{name}"):
                    _place(gr, name)
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"])
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        head=_text("head.html") + (_LOGIN if with_logout else ""),
        footer_links=[],
        show_error=False,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
    )
    page._queue.sleep_when_free = _QUEUE_SECONDS


def _place(gr: Any, name: str) -> None:
    """Leave room for one of our views, which `static/main.js` puts there: what Gradio has for it evaluates texts."""
    with gr.Column(elem_id=f"st-{name}", elem_classes="st-place"):
        pass


def _text(file: str) -> str:
    return (resources.files("streamtag.dashboard") / "static" / file).read_text(encoding="utf-8")
