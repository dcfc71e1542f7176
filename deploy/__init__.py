"""From a bundle to a GPU: engines compiled, tried and measured, and what a server needs to run them."""

import streamtag  # noqa: F401 - keeps libraries quiet before any of them is imported
