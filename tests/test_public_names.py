"""`streamtag/__init__.py`: what is public, and what its import loads."""

import subprocess
import sys

import pytest

import streamtag

HEAVY = {"torch", "tensorrt", "openvino", "gradio", "sounddevice", "av", "onnxruntime", "scipy", "zmq"}


def loaded_by(code: str) -> set[str]:
    """Top-level modules that a fresh Python has loaded after `code`."""
    program = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}})"
    return set(
        subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout.split()
    )


def test_the_import_loads_no_heavy_library() -> None:
    assert not loaded_by("import streamtag") & HEAVY


def test_a_tagger_loads_neither_training_nor_page_nor_microphone() -> None:
    loaded = loaded_by("import streamtag\nstreamtag.Tagger; streamtag.Subscriber; streamtag.log_mel")
    assert not loaded & {"torch", "tensorrt", "openvino", "gradio", "sounddevice"}


def test_tagging_and_subscribing_load_no_scipy() -> None:
    assert "scipy" not in loaded_by("import streamtag\nstreamtag.Tagger; streamtag.Subscriber; streamtag.log_mel")


def test_all_names_that_the_documentation_promises_are_public() -> None:
    assert {"Tagger", "Subscriber", "log_mel", "StreamtagError"} <= set(streamtag.__all__)


@pytest.mark.parametrize("name", streamtag.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    value = getattr(streamtag, name)
    assert value.__name__ == name
    assert name in dir(streamtag)


def test_public_names_stand_in_order_and_each_has_a_home() -> None:
    assert streamtag.__all__ == sorted(streamtag.__all__)
    assert set(streamtag.__all__) == set(streamtag._HOMES)


def test_everything_at_once_can_be_imported() -> None:
    loaded_by("from streamtag import *\nTagger, Subscriber, log_mel, StreamtagError")


def test_the_version_is_the_installed_one() -> None:
    assert streamtag.__version__.count(".") == 2


def test_a_name_that_does_not_exist_is_missing_as_from_any_module() -> None:
    with pytest.raises(AttributeError, match="module 'streamtag' has no attribute 'tag'"):
        streamtag.tag  # noqa: B018
    with pytest.raises(ImportError):
        exec("from streamtag import tag")


def test_every_error_on_purpose_is_a_streamtag_error() -> None:
    from streamtag import errors

    for name in errors.__all__:
        assert issubclass(getattr(errors, name), streamtag.StreamtagError)
