"""The page itself: Gradio's frame and tabs around the project's own views."""

import os
from importlib import resources
from typing import Final

from fastapi import FastAPI

__all__ = ["STATIC", "mount_page"]

STATIC: Final = "/streamtag/static"
_VIEWS: Final = {
    "live": "Live",
    "history": "History",
    "tuning": "Thresholds",
    "microphone": "My microphone",
    "recording": "Recording",
}
_QUEUE_SECONDS: Final = 0.5
"""The page uses none of Gradio's queue, which would look for work a thousand times a second."""


def mount_page(app: FastAPI) -> None:
    """Add the page to an application, at its root."""
    os.environ.setdefault("PATH", os.defpath)  # in an empty environment a library of Gradio's would fail
    import gradio as gr

    with gr.Blocks(title="Streamtag", fill_width=True, analytics_enabled=False) as page:
        _view(gr, "header")
        with gr.Tabs(elem_id="st-tabs"):
            for name, title in _VIEWS.items():
                with gr.Tab(title, id=name, elem_id=f"st-tab-{name}"):
                    _view(gr, name)
    fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif"]
    theme = gr.themes.Base(font=fonts, font_mono=["ui-monospace", "Consolas", "monospace"])
    gr.mount_gradio_app(
        app,
        page,
        path="/",
        theme=theme,
        head=_text("head.html"),
        footer_links=[],
        show_error=False,
        run_history=False,
        ssr_mode=False,
        enable_monitoring=False,
        mcp_server=False,
        pwa=False,
    )
    page._queue.sleep_when_free = _QUEUE_SECONDS


def _view(gr: object, name: str) -> None:
    script = f"import('{STATIC}/{name}.js').then((view) => view.mount(element))"
    gr.HTML(_text(f"{name}.html"), js_on_load=script, elem_id=f"st-{name}", apply_default_css=False)  # type: ignore[attr-defined]


def _text(file: str) -> str:
    return (resources.files("streamtag.dashboard") / "static" / file).read_text(encoding="utf-8")
