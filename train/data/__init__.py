"""Recordings: read, split by source, mixed to windows, kept as log-mel in a cache."""
