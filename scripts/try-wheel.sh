#!/bin/sh
# Use an installed Streamtag as a new user does, far from any clone: every command that needs no hardware.
#   scripts/try-wheel.sh BIN FOLDER
set -eu
bin=$1
cd "$2"
here=$("$bin/python" -P -c "import os, streamtag; print(os.path.dirname(streamtag.__file__))")
case $here in */site-packages/streamtag | */dist-packages/streamtag) ;; *) echo "not installed, but at $here" >&2; exit 1 ;; esac

"$bin/streamtag" --version
"$bin/streamtag" models info --json >models.json
"$bin/streamtag" tag --format jsonl "$here/bundles/default/demo.flac" >tagged.jsonl
grep -q '"events"' tagged.jsonl
"$bin/streamtag" tag --format jsonl - </dev/null >/dev/null 2>&1 && { echo "nothing was tagged, and that was no error" >&2; exit 1; }
"$bin/streamtag" demo --seconds 4 --no-dashboard --endpoint "tcp://127.0.0.1:*" >demo.jsonl
grep -q '"kind"' demo.jsonl
cat >service.toml <<TOML
[service]
endpoint = "ipc://$2/scores"
[history]
path = "history.sqlite"
[[stream]]
id = "porch"
source = "file:$here/bundles/default/demo.flac"
realtime = true
loop = true
TOML
"$bin/streamtag" run service.toml 2>service.log &
service=$!
trap 'kill $service $page 2>/dev/null || true' EXIT
page=""
"$bin/streamtag" subscribe "ipc://$2/scores" --kind scores --count 2 >heard.jsonl
[ "$(wc -l <heard.jsonl)" -eq 2 ]
if "$bin/python" -c "import importlib.util, sys; sys.exit(importlib.util.find_spec('gradio') is None)"; then
    port=$("$bin/python" -c "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0)); print(s.getsockname()[1])")
    "$bin/streamtag" dashboard --connect "ipc://$2/scores" --port "$port" 2>page.log &
    page=$!
    "$bin/python" - "$port" <<'PYTHON'
import sys, time, urllib.request
for _ in range(600):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/", timeout=5) as page:
            sys.exit(0 if b"streamtag" in page.read().lower() else "another page answers")
    except OSError:
        time.sleep(0.1)
sys.exit("the page did not come up")
PYTHON
    kill "$page"
    wait "$page" || true
fi
kill "$service"
wait "$service"
trap - EXIT
[ "$(stat -c %a history.sqlite)" = 600 ]
echo "==> it works: tag, demo, run, subscribe, dashboard"
