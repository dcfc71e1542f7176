"""Alerts: when somebody is told of something, tried on what was, and what came of it."""

from streamtag.alerts.rules import AlertRules, Decision, Moment, wanted_kinds

__all__ = ["AlertRules", "Decision", "Moment", "wanted_kinds"]
