"""Teach a sound by examples, find it again, and learn from what people say of events.

A taught label is a head on a model's embedding (`streamtag.heads`). What teaches is here; what scores needs none of it.
"""

from streamtag.heads import Examples, Figures, Head, HeadError, read_heads, remove_head
from streamtag.teaching.examples import Span, read_examples, read_span
from streamtag.teaching.judging import Consequence, judge_event, judge_moment, withdraw
from streamtag.teaching.searching import Found, examples_of_event, examples_of_moments, search, search_by_head
from streamtag.teaching.teacher import Teacher

__all__ = [
    "Consequence",
    "Examples",
    "Figures",
    "Found",
    "Head",
    "HeadError",
    "Span",
    "Teacher",
    "examples_of_event",
    "examples_of_moments",
    "judge_event",
    "judge_moment",
    "read_examples",
    "read_heads",
    "read_span",
    "remove_head",
    "search",
    "search_by_head",
    "withdraw",
]
