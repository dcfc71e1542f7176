"""From what torch brings to its two lock files: itself in every build that is known, and what its builds for CUDA need.

python scripts/lock_torch.py FILE, which `uv pip compile` wrote of torch alone.
"""

import re
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent / "requirements"
_ENTRY = re.compile(r"^[^\s#-].*(?:\n[ ]+--hash=.*)*", re.MULTILINE)


def entries(text: str) -> dict[str, str]:
    """Return a lock file's entries by the names of their packages."""
    return {re.split(r"[=\s]", entry)[0]: entry for entry in _ENTRY.findall(text)}


def main(path: str) -> None:
    """Write `torch.txt` and `torch-cuda.txt`, and leave out of `install.txt` what stands there."""
    install = FOLDER / "install.txt"
    brought, all_else = entries(Path(path).read_text()), entries(install.read_text())
    torch = brought.pop("torch")
    hashes = re.findall(r"--hash=\S+", (FOLDER / "torch-cpu.txt").read_text())
    (FOLDER / "torch.txt").write_text(" \\\n    ".join([torch, *hashes]) + "\n")
    cuda = {name: entry for name, entry in brought.items() if name.startswith(("nvidia-", "cuda-", "triton"))}
    cuda = {name: entry for name, entry in cuda.items() if name not in ("cuda-bindings", "cuda-pathfinder")}
    (FOLDER / "torch-cuda.txt").write_text("\n".join(cuda.values()) + "\n")
    kept = [entry for name, entry in all_else.items() if name not in cuda]
    kept += [entry for name, entry in brought.items() if name not in cuda and name not in all_else]
    install.write_text("\n".join(sorted(kept, key=str.lower)) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
