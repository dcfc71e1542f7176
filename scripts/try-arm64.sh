#!/bin/sh
# Install the wheel in dist/ into a Debian for arm64 from wheels alone, emulated by qemu, and compare what it hears in the
# demo's recording with what it hears here. Says nothing of speed. On a Raspberry Pi this does: streamtag bench
#   scripts/try-arm64.sh FOLDER
set -eu
root=$1
tools=.venv-tools
mkdir -p "$root"
mmdebstrap --quiet --variant=minbase --architectures=arm64 --include=python3,python3-venv,libportaudio2 bookworm "$root"
mkdir -p "$root/w/wheels"
printf 'hypothesis\npytest\npytest-timeout\n' >"$root/w/tests.in"
"$tools/bin/uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --constraint constraints.txt \
    --no-annotate --no-header --no-emit-index-url -o "$root/w/core.txt" pyproject.toml "$root/w/tests.in"
"$tools/bin/python" -m pip download --quiet --require-hashes --requirement "$root/w/core.txt" --only-binary :all: \
    --python-version 3.11 --implementation cp --abi cp311 --abi abi3 --abi none --platform manylinux_2_28_aarch64 \
    --platform manylinux_2_27_aarch64 --platform manylinux_2_26_aarch64 --platform manylinux2014_aarch64 --dest "$root/w/wheels"
cp dist/*.whl "$root/w/wheels/"
git archive HEAD tests pyproject.toml | tar -C "$root/w" -xf -
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
demo=streamtag/bundles/default/demo.flac
cp "$demo" "$root/w/demo.flac"
chroot "$root" /bin/sh -euc '
cd /w
python3 -m venv venv
venv/bin/pip install --quiet --no-index --find-links wheels --require-hashes --requirement core.txt
venv/bin/pip install --quiet --no-index --no-deps wheels/streamtag*.whl
venv/bin/streamtag doctor >doctor.txt || true
venv/bin/streamtag tag --format jsonl demo.flac >tagged.jsonl
venv/bin/python -m pytest -q -p no:cacheprovider --timeout 900 tests/audio tests/wire/test_messages.py tests/engine/test_queue.py'
umount "$root/proc" "$root/dev"
.venv/bin/streamtag tag --format jsonl "$demo" >"$root/w/here.jsonl"
"$tools/bin/python" - "$root/w/here.jsonl" "$root/w/tagged.jsonl" <<'PYTHON'
import json, sys

here, there = (json.load(open(path)) for path in sys.argv[1:])
heard = [[event["label"] for event in found["events"]] for found in (here, there)]
assert heard[0] == heard[1], heard
worst = max(abs(a["score"] - b["score"]) for a, b in zip(here["top"], there["top"]))
print(f"==> arm64 hears the same {len(heard[0])} events; the best labels' scores differ by {worst:.1e} at most")
PYTHON
