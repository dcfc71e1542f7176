#!/bin/sh
# Make the virtual environment in the folder given, with $PYTHON (python3 unless set).
set -eu
python=${PYTHON:-python3}

if ! command -v "$python" >/dev/null; then
    echo "$python: not found; install Python 3.11 or newer (Debian, Ubuntu: apt-get install python3 python3-venv)" >&2
    exit 1
fi
if ! "$python" -c "import sys; sys.exit(sys.version_info < (3, 11))"; then
    echo "$python is $("$python" -V); Streamtag needs 3.11 or newer: install one and name it, as in make PYTHON=python3.11" >&2
    exit 1
fi
echo "==> making a virtual environment in $1 with $("$python" -V)"
"$python" -m venv "$1"
