#!/bin/sh
# Build wheel and source, look at them, try the wheel in an environment of its own, and write their hashes: dist/.
#   scripts/release.sh TOOLS
# Nothing is uploaded: .github/workflows/release.yml does that for a tag, from the same steps.
set -eu
tools=$1
trial=$(mktemp -d)
trap 'rm -rf "$trial"' EXIT
most_bytes=15000000
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct 2>/dev/null || date +%s)
export SOURCE_DATE_EPOCH

rm -rf dist
"$tools/bin/python" -m build --no-isolation --outdir dist . >"$trial/build.log" 2>&1 || { cat "$trial/build.log" >&2; exit 1; }
"$tools/bin/twine" check --strict dist/*.whl dist/*.tar.gz
for file in dist/*; do
    bytes=$(wc -c <"$file")
    echo "==> $file: $bytes bytes"
    [ "$bytes" -le "$most_bytes" ] || { echo "$file is larger than $most_bytes bytes" >&2; exit 1; }
done

echo "==> trying the wheel in an environment of its own"
scripts/make-venv.sh "$trial/venv"
"$trial/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes \
    --requirement requirements/image.txt
"$trial/venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-deps dist/*.whl
"$trial/venv/bin/python" -m pip check
scripts/try-wheel.sh "$trial/venv/bin" "$trial"

scripts/sbom.sh "$tools" dist/sbom.cdx.json
(cd dist && sha256sum -- *.whl *.tar.gz sbom.cdx.json >SHA256SUMS)
cat dist/SHA256SUMS
