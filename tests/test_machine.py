import platform
from pathlib import Path

import pytest

from streamtag.machine import processor, version_of


def test_the_processor_is_named_as_the_system_names_it_and_somehow_where_it_does_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    known = Path("/proc/cpuinfo").read_text()
    assert processor() in known or processor() == platform.machine()
    monkeypatch.setattr(Path, "read_text", lambda path: (_ for _ in ()).throw(FileNotFoundError(path)))
    assert processor() in (platform.processor(), platform.machine())


def test_what_is_not_installed_has_no_version() -> None:
    assert version_of("numpy").count(".") >= 1
    assert version_of("no-such-package") == ""
