"""What `doctor` looks at: each check says what works, or what is missing and how to get it.

Libraries are tried in processes of their own: one that is broken may take its process with it.
"""

import json
import platform
import re
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from importlib.metadata import PackageNotFoundError, requires
from typing import Any, Literal

from streamtag.bundle import Bundle
from streamtag.cli.page import is_free
from streamtag.errors import StreamtagError
from streamtag.folders import NOWHERE, cache_folder
from streamtag.machine import processor_flags, version_of
from streamtag.program import ProgramError, output_of, python
from streamtag.runtime_kinds import RUNTIMES
from streamtag.settings import Config

__all__ = ["Check", "check_all"]

_PROBE_SECONDS = 60
_CODECS = ("aac", "flac", "mp3", "opus", "pcm_s16le", "vorbis")
_INT8_FLAGS = ("amx_int8", "avx512_vnni", "avx_vnni", "asimddp")
_PAGE_PORT = 7860
_TCP_PORT = re.compile(r"tcp://.+:(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Check:
    """What one look found."""

    name: str
    state: Literal["ok", "missing", "optional"]
    """`missing`: tagging does not work without it; `optional`: something else does not."""
    detail: str
    remedy: str = ""
    """A command, or what to do."""


def check_all(config: Config) -> list[Check]:
    """Look at everything that matters, for these settings."""
    bundle = _bundle(config.model.bundle)
    names = RUNTIMES if bundle.state == "ok" else ()
    looks: list[Callable[[], list[Check]]] = [
        lambda: [_python()],
        lambda: list(_packages()),
        lambda: [bundle],
        lambda: [_ffmpeg()],
        lambda: [_onnxruntime()],
        *(partial(_runtime, name, config.model.bundle) for name in names),
        lambda: [_gpu()],
        lambda: [_int8()],
        lambda: [_microphones()],
        lambda: list(_ports(config)),
        lambda: [_cache()],
    ]
    with ThreadPoolExecutor(len(looks)) as executor:
        return [check for found in executor.map(lambda look: look(), looks) for check in found]


def _python() -> Check:
    here = f"{platform.python_version()} on {platform.platform(terse=True)}"
    return Check("Python", "ok", here)


def _packages() -> Iterator[Check]:
    """Yield one check for the package's own needs and one for each extra."""
    needs: dict[str, list[str]] = {"": []}
    try:
        lines = requires("streamtag") or []
    except PackageNotFoundError:
        yield Check("packages", "missing", "streamtag is run without being installed", "pip install streamtag")
        return
    for line in lines:
        name = re.match(r"[A-Za-z0-9._-]+", line)
        group = re.search(r"""extra == ['"](.+?)['"]""", line)
        if name is not None:
            needs.setdefault(group[1] if group else "", []).append(name[0])
    for extra, names in needs.items():
        if extra == "dev":
            continue
        found = {name: version_of(name) for name in names}
        detail = ", ".join(f"{name} {number}" for name, number in found.items() if number)
        absent = [name for name, number in found.items() if not number]
        if absent:
            detail = f"not installed: {', '.join(absent)}" + (f"; there: {detail}" if detail else "")
        wanted = f"'streamtag[{extra}]'" if extra else "--upgrade streamtag"
        state: Literal["ok", "missing", "optional"] = "ok" if not absent else "optional" if extra else "missing"
        title = f"extra {extra}" if extra else "packages"
        yield Check(title, state, detail, f"pip install {wanted}" if absent else "")


def _bundle(name: str) -> Check:
    try:
        bundle = Bundle.open(name)
        for file in bundle.files:
            bundle.read(file)
    except StreamtagError as error:
        return Check("model", "missing", str(error), "pip install --force-reinstall streamtag, or name another bundle")
    detail = f"{bundle.name} {bundle.version}, {len(bundle.labels)} labels, {len(bundle.files)} files as they should be"
    return Check("model", "ok", detail)


def _ffmpeg() -> Check:
    code = "import av, json; print(json.dumps([av.__version__, av.ffmpeg_version_info, sorted(av.codecs_available)]))"
    try:
        number, ffmpeg, codecs = _probe(code)
    except ProgramError as error:
        return Check("FFmpeg", "missing", str(error), "pip install --force-reinstall av")
    lacking = [codec for codec in _CODECS if codec not in codecs]
    detail = f"{ffmpeg} in PyAV {number}"
    if lacking:
        return Check("FFmpeg", "optional", f"{detail}, without {', '.join(lacking)}", "pip install --upgrade av")
    return Check("FFmpeg", "ok", f"{detail}, with {', '.join(_CODECS)} and {len(codecs)} codecs in all")


def _onnxruntime() -> Check:
    code = "import json, onnxruntime as o; print(json.dumps([o.__version__, o.get_available_providers()]))"
    try:
        number, providers = _probe(code)
    except ProgramError as error:
        return Check("ONNX Runtime", "missing", str(error), "pip install --force-reinstall onnxruntime")
    return Check("ONNX Runtime", "ok", f"{number} with {', '.join(providers)}")


def _runtime(name: str, bundle: str) -> list[Check]:
    code = (
        "import json, sys\n"
        "from streamtag.bundle import Bundle\n"
        "from streamtag.errors import StreamtagError\n"
        "from streamtag.runtimes import open_runtime\n"
        "try:\n"
        "    runtime = open_runtime(Bundle.open(sys.argv[2]), sys.argv[1])\n"
        "except StreamtagError as error:\n"
        "    sys.exit(str(error))\n"
        "print(json.dumps([runtime.device, runtime.precision]))"
    )
    needed: Literal["missing", "optional"] = "optional" if RUNTIMES[name].package else "missing"
    try:
        device, precision = _probe(code, name, bundle)
    except ProgramError as error:
        return [Check(f"runtime {name}", needed, str(error))]  # the error names its remedy
    return [Check(f"runtime {name}", "ok", f"runs the model on {device} in {precision}")]


def _gpu() -> Check:
    try:
        query = ["--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        listing = output_of(["nvidia-smi", *query], _PROBE_SECONDS).decode(errors="replace")
    except ProgramError as error:
        if error.is_missing:
            return Check("GPU", "optional", "no NVIDIA driver here (nvidia-smi is not there): the CPU does the work")
        return Check("GPU", "optional", f"nvidia-smi fails: {error}: the CPU does the work")
    return Check("GPU", "ok", "; ".join(listing.strip().splitlines()))


def _int8() -> Check:
    flags = processor_flags()
    found = [flag for flag in _INT8_FLAGS if flag in flags]
    if found:
        return Check("CPU int8", "ok", f"fast int8 arithmetic: {', '.join(found)}")
    return Check("CPU int8", "optional", "no fast int8 arithmetic: the model runs in float32 where that is faster")


def _microphones() -> Check:
    code = (
        "import json, sys\n"
        "from streamtag.errors import StreamtagError\n"
        "try:\n"
        "    from streamtag.sources.microphone import list_devices\n"
        "    print(json.dumps([device.name for device in list_devices()]))\n"
        "except StreamtagError as error:\n"
        "    sys.exit(str(error))"
    )
    try:
        names = _probe(code)
    except ProgramError as error:
        remedy = "apt install libportaudio2 libasound2-plugins" if "PortAudio" in str(error) else ""
        return Check("microphones", "optional", str(error), remedy)
    if not names:
        return Check("microphones", "optional", "PortAudio works, and finds no input device", "plug in a microphone")
    return Check("microphones", "ok", ", ".join(names))


def _ports(config: Config) -> Iterator[Check]:
    endpoints = {"scores out": config.service.endpoint, "PCM in": config.service.input or "tcp://127.0.0.1:5557"}
    ports = {name: _TCP_PORT.match(endpoint) for name, endpoint in endpoints.items()}
    numbers = {name: int(found[1]) for name, found in ports.items() if found}
    for name, number in {**numbers, "web page": _PAGE_PORT}.items():
        if is_free(number):
            yield Check(f"port {number}", "ok", f"free for {name}")
        else:
            detail = f"in use, by a running streamtag perhaps: {name} needs another"
            yield Check(f"port {number}", "optional", detail, f"ss -ltnp 'sport = :{number}' shows who has it")


def _cache() -> Check:
    folder = cache_folder()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / "doctor"
        probe.write_text("")
        probe.unlink()
    except OSError as error:
        where = f"{folder} cannot be written ({error.strerror})" if folder != NOWHERE else "no home folder"
        detail = f"{where}: the fastest file is measured at every start"
        return Check("cache", "optional", detail, "set XDG_CACHE_HOME to a folder of yours")
    return Check("cache", "ok", str(folder))


def _probe(code: str, *arguments: str) -> Any:
    """Run Python code in a process of its own and return the JSON value that it prints last."""
    output = output_of(python("-c", code, *arguments), _PROBE_SECONDS).decode(errors="replace")
    try:
        return json.loads(output.splitlines()[-1])
    except (IndexError, ValueError):
        raise ProgramError("it gave no answer that can be read") from None
