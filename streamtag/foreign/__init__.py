"""Models that others made: described in a few lines, checked, and kept as bundles beside the packaged ones."""
