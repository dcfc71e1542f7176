#!/bin/sh
# Write what Streamtag is made of, with its dashboard, as CycloneDX: from the lock file, so with hashes.
#   scripts/sbom.sh TOOLS FILE
set -eu
"$1/bin/cyclonedx-py" requirements --pyproject pyproject.toml --mc-type application --output-reproducible \
    --spec-version 1.6 --output-format JSON --output-file "$2" requirements/image.txt 2>/dev/null
"$1/bin/python" scripts/sbom_models.py "$2"
echo "==> $2: $("$1/bin/python" -c "
import json, sys
print(len(json.load(open(sys.argv[1]))['components']))" "$2") components"
