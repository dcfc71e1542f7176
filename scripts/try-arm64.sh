#!/bin/sh
# Put the wheel in dist/ and what it needs, from wheels for arm64 alone, into a Debian for arm64 that qemu emulates; compare
# what it hears in the demo's recording with what it hears here; and run the tests of audio, wire and engine there that
# are about no time, no compiler and no process of their own. Says nothing of speed; on a Raspberry Pi this does:
#   streamtag bench
# Needs root, mmdebstrap, and a kernel that starts programs of arm64 (scripts/packages.sh sees to that).
#   scripts/try-arm64.sh FOLDER [TEST…]
set -eu
root=$1
shift
[ $# -gt 0 ] || set -- tests/audio tests/wire/test_endpoints.py tests/wire/test_inbox.py tests/wire/test_keys.py \
    tests/wire/test_levels.py tests/wire/test_messages.py tests/wire/test_pcm_messages.py tests/wire/test_puller.py \
    tests/wire/test_subscriber.py tests/engine/test_embeddings.py tests/engine/test_level_meter.py \
    tests/engine/test_live_sound.py tests/engine/test_measures.py tests/engine/test_models.py \
    tests/engine/test_queue.py tests/engine/test_taps.py tests/engine/test_windows.py
tools=.venv-tools
site="$root/w/site"
# Unpacked and not set up: to set up a Debian by emulation takes longer than all that is tried in it.
mkdir -p "$root"
mmdebstrap --quiet --variant=extract --architectures=arm64 --include=coreutils,dash,libportaudio2,python3 bookworm "$root"
mkdir -p "$root/w" "$root/tmp" "$root/proc" "$root/dev"
printf 'hypothesis\nonnx\npsutil\npytest\npytest-timeout\nsoundfile\n' >"$root/w/tests.in"
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
echo "127.0.0.1 localhost" >"$root/etc/hosts"
# In a mount namespace of its own: whatever happens, nothing stays mounted in the folder.
# shellcheck disable=SC2016  # The variables are the inner shell's.
unshare --mount sh -euc '
root=$1
shift
mount --rbind /proc "$root/proc"
mount --rbind /dev "$root/dev"
exec env -i PATH=/usr/sbin:/usr/bin:/bin HOME=/tmp PYTHONPATH=/w/site PYTHONDONTWRITEBYTECODE=1 \
    chroot "$root" /bin/sh -euc "
cd /w
python3.11 -m streamtag doctor || true
python3.11 -m streamtag tag --format jsonl demo.flac >tagged.jsonl
exec python3.11 -m pytest -q -p no:cacheprovider --timeout 1800 --durations 5 \"\$@\"" sh "$@"' sh "$root" "$@"
.venv/bin/streamtag tag --format jsonl streamtag/bundles/default/demo.flac >"$root/w/here.jsonl"
"$tools/bin/python" - "$root/w/here.jsonl" "$root/w/tagged.jsonl" <<'PYTHON'
import json, sys

here, there = (json.load(open(path)) for path in sys.argv[1:])
heard = [[event["label"] for event in found["events"]] for found in (here, there)]
assert heard[0] == heard[1], heard
worst = max(abs(a["score"] - b["score"]) for a, b in zip(here["top"], there["top"]))
print(f"==> arm64 hears the same {len(heard[0])} events; the best labels' scores differ by {worst:.1e} at most")
PYTHON
