#!/bin/sh
# Install what a lock file pins into a virtual environment, every file by a known hash, and then this clone.
#   scripts/install-locked.sh VENV demo|install
set -eu
python="$1/bin/python"
pip() {
    "$python" -m pip install --quiet --disable-pip-version-check --no-input "$@"
}
locked() {
    list=$1
    shift
    pip --require-hashes --requirement "requirements/$list.txt" "$@"
}

locked "$2"
if [ "$2" = install ]; then
    # Whoever tells pip of another index or folder chose a build of torch by that; by hashes pip would take PyPI's.
    # grep -q would leave at the first match, and pip complain of that.
    if "$python" -m pip config list | grep -E "index-url|find-links" > /dev/null; then
        echo "==> torch is taken as pip's configuration names it, not by its hash"
        pip --constraint constraints.txt "$(grep '^torch==' constraints.txt)"
    else
        locked torch --no-deps
        if "$python" -c "
import importlib.metadata as found, sys
sys.exit(not any(line.startswith(('nvidia-', 'cuda-toolkit')) for line in found.requires('torch')))"; then
            locked torch-cuda
        fi
    fi
fi
pip --no-deps --no-build-isolation --editable .
