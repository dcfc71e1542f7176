"""Gradio, loaded without the type stubs that it compares, and writes, beside each of its components."""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import ModuleType
from typing import Any, Final

__all__ = ["load_gradio"]

_WRITER: Final = "gradio.component_meta"
_WRITE: Final = "create_or_modify_pyi"


def load_gradio() -> Any:
    """Import Gradio and return it.

    For the editors of its programmers it parses the source of each component twice, renders a stub of it, and writes
    that into its own folder if it changed: a third of the time until the page is there, and a file that a service
    which may not write there cannot have. Where another release does that otherwise, it is loaded as it is.
    """
    finder = _WithoutStubs()
    sys.meta_path.insert(0, finder)
    try:
        import gradio
    finally:
        sys.meta_path.remove(finder)
    return gradio


class _WithoutStubs(MetaPathFinder):
    def find_spec(self, name: str, path: Sequence[str] | None, _: ModuleType | None = None) -> ModuleSpec | None:
        if name != _WRITER:
            return None
        found = PathFinder.find_spec(name, path)
        if found is not None and isinstance(found.loader, SourceFileLoader):
            found.loader = _Loader(found.loader.name, found.loader.path)
        return found


class _Loader(SourceFileLoader):
    def exec_module(self, module: ModuleType) -> None:
        super().exec_module(module)
        if hasattr(module, _WRITE):
            setattr(module, _WRITE, lambda *_: None)
