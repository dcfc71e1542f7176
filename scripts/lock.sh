#!/bin/sh
# Write the lock files: every version that constraints.txt pins, and what it brings on any Python from 3.11 on and any
# machine, with the hashes of all its files. Versions stay as they are; `make constraints` changes them.
set -eu
tools=${1:-.venv-tools}

lock() {
    "$tools/bin/uv" pip compile --quiet --universal --generate-hashes --python-version 3.11 --constraint constraints.txt \
        --no-annotate --no-header --no-emit-index-url "$@"
}
of_torch=$(mktemp)
trap 'rm -f "$of_torch"' EXIT

lock -o requirements/tools.txt requirements/tools.in
lock -o requirements/build.txt requirements/build.in
lock --extra dashboard -o requirements/demo.txt pyproject.toml requirements/build.in
lock --extra dashboard --extra metrics --extra mqtt --extra nats --extra notify -o requirements/image.txt pyproject.toml
lock --extra dashboard --extra metrics --extra mqtt --extra nats --extra notify --extra tensorrt \
    -o requirements/image-gpu.txt pyproject.toml
lock --extra dashboard --extra metrics --extra mqtt --extra nats --extra notify --extra train --extra dev --no-emit-package torch \
    -o requirements/install.txt pyproject.toml requirements/build.in
# What torch alone brings is for its builds with CUDA.
grep '^torch==' constraints.txt | lock -o "$of_torch" -
"$tools/bin/python" scripts/lock_torch.py "$of_torch"
