"""One way in for sound, whoever brings it: a source that is read, one that is received, or another program."""

from streamtag.intake.intake import Change, Intake, Item, Pause
from streamtag.intake.pushed import PushedStreams, PushedTimes
from streamtag.intake.source_reader import SourceReader

__all__ = ["Change", "Intake", "Item", "Pause", "PushedStreams", "PushedTimes", "SourceReader"]
