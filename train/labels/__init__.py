"""Label names: AudioSet's display names with their MIDs, and which labels may sound together unsaid."""

from train.labels.related import unsure_with
from train.labels.table import LabelTable, category_names, known_mids, names_of_mids, one_spelling, plain_name

__all__ = ["LabelTable", "category_names", "known_mids", "names_of_mids", "one_spelling", "plain_name", "unsure_with"]
