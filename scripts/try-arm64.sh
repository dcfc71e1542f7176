#!/bin/sh
# Put the wheel in dist/ and what it needs, from wheels for arm64 alone, into a Debian for arm64 that qemu emulates, and
# compare what it hears in the demo's recording with what it hears here. Says nothing of speed; on a Raspberry Pi this
# does: streamtag bench
#   scripts/try-arm64.sh FOLDER
set -eu
root=$1
tools=.venv-tools
site="$root/w/site"
# Unpacked and not set up: to set up a Debian by emulation takes longer than all that is tried in it.
mkdir -p "$root"
mmdebstrap --quiet --variant=extract --architectures=arm64 --include=coreutils,dash,libportaudio2,python3 bookworm "$root"
mkdir -p "$root/w" "$root/tmp" "$root/proc" "$root/dev"
printf 'hypothesis\npytest\npytest-timeout\nsoundfile\n' >"$root/w/tests.in"
"$tools/bin/uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --constraint constraints.txt \
    --no-annotate --no-header --no-emit-index-url -o "$root/w/core.txt" pyproject.toml "$root/w/tests.in"
of_arm() {
    "$tools/bin/python" -m pip "$@" --quiet --only-binary :all: --python-version 3.11 --implementation cp \
        --abi cp311 --abi abi3 --abi none --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
        --platform manylinux_2_26_aarch64 --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64
}
of_arm install --require-hashes --requirement "$root/w/core.txt" --target "$site"
of_arm install --no-deps --target "$site" dist/*.whl
git archive HEAD tests pyproject.toml | tar -C "$root/w" -xf -
cp streamtag/bundles/default/demo.flac "$root/w/"
mount --bind /proc "$root/proc"
mount --bind /dev "$root/dev"
status=0
env -i PATH=/usr/sbin:/usr/bin:/bin HOME=/tmp PYTHONPATH=/w/site chroot "$root" /bin/sh -euc '
cd /w
python3.11 -m streamtag doctor || true
python3.11 -m streamtag tag --format jsonl demo.flac >tagged.jsonl
python3.11 -m pytest -q -p no:cacheprovider --timeout 900 tests/audio tests/wire/test_messages.py tests/engine/test_queue.py' \
    || status=$?
umount "$root/proc" "$root/dev"
[ "$status" -eq 0 ] || exit "$status"
.venv/bin/streamtag tag --format jsonl streamtag/bundles/default/demo.flac >"$root/w/here.jsonl"
"$tools/bin/python" - "$root/w/here.jsonl" "$root/w/tagged.jsonl" <<'PYTHON'
import json, sys

here, there = (json.load(open(path)) for path in sys.argv[1:])
heard = [[event["label"] for event in found["events"]] for found in (here, there)]
assert heard[0] == heard[1], heard
worst = max(abs(a["score"] - b["score"]) for a, b in zip(here["top"], there["top"]))
print(f"==> arm64 hears the same {len(heard[0])} events; the best labels' scores differ by {worst:.1e} at most")
PYTHON
