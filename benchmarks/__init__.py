"""Measured beside others."""

import streamtag  # noqa: F401 - keeps libraries quiet before any of them is imported
