"""Add the packaged models to a bill of materials: python scripts/sbom_models.py FILE, which is CycloneDX in JSON."""

import json
import sys
from pathlib import Path

BUNDLES = Path(__file__).parent.parent / "streamtag" / "bundles"


def models() -> list[dict[str, object]]:
    """Return the packaged models as components, with the hashes of the files that a release holds."""
    found: list[dict[str, object]] = []
    for manifest in sorted(BUNDLES.glob("*/manifest.json")):
        told = json.loads(manifest.read_text())
        for name, file in sorted(told["files"].items()):
            if name.startswith("model"):
                component: dict[str, object] = {
                    "type": "machine-learning-model",
                    "bom-ref": f"{manifest.parent.name}/{name}",
                    "name": f"{manifest.parent.name}/{name}",
                    "version": str(told["version"]),
                    "hashes": [{"alg": "SHA-256", "content": file["sha256"]}],
                }
                found.append(component)
    return found


def main(path: str) -> None:
    """Add them."""
    document = json.loads(Path(path).read_text())
    document["components"] += models()
    Path(path).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
