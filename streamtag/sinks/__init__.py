"""Sinks: what tells others of what a service hears, each a subscriber of the wire, all in one process of their own."""

from streamtag.sinks.keeper import Keeper
from streamtag.sinks.opening import is_wanted, what_matters
from streamtag.sinks.relay import relay

__all__ = ["Keeper", "is_wanted", "relay", "what_matters"]
