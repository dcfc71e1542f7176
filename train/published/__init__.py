"""Published taggers whose weights teach, or are a place to begin: read from their own files, run in PyTorch."""
