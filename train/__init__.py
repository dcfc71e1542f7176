"""Training: recordings in, bundles out. Imports the engine's front end and bundle; the engine never imports this."""

import streamtag  # noqa: F401 - keeps libraries quiet before any of them is imported
