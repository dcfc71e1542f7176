"""Label names: AudioSet's display names with their MIDs, and which labels may sound together unsaid."""

from train.labels.related import unsure_with
from train.labels.table import LabelTable, esc50_names, known_mids

__all__ = ["LabelTable", "esc50_names", "known_mids", "unsure_with"]
