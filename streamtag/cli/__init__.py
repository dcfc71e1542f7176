"""The command line: one file a command; what a command needs is loaded when it runs."""

from streamtag.cli.app import main

__all__ = ["main"]
