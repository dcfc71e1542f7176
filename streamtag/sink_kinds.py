"""The kinds of sinks: who is told of what a service hears, by which section of the configuration, and where it lives.

A new kind is one module in `streamtag/sinks` with a struct `Settings` for its section and a function
`open_sink(config)`, and one line in `SINKS`. Its settings are `config.sections[SECTION]`; those that others read have
attributes of their own.
"""

from typing import Final, NamedTuple

__all__ = ["SINKS", "SinkKind"]


class SinkKind(NamedTuple):
    """One kind of sink.

    Attributes:
        section: What asks for it.
        module: In `streamtag.sinks`.
        attribute: Of the configuration, what the section says; empty: `sections` holds it.
        is_list: Whether the section may be there more than once.
        is_local: Whether it lives in the service, and is told first; the others share a process of their own.
    """

    section: str
    module: str
    attribute: str = ""
    is_list: bool = False
    is_local: bool = False

    @property
    def title(self) -> str:
        """The section as it is written."""
        return f"[[{self.section}]]" if self.is_list else f"[{self.section}]"


SINKS: Final = [
    SinkKind("history", "history", "history.path", is_local=True),
    SinkKind("mqtt", "mqtt", "mqtt"),
    SinkKind("metrics", "metrics", "metrics"),
    SinkKind("webhook", "webhook", "webhooks", is_list=True),
    SinkKind("nats", "nats", "nats"),
    SinkKind("notify", "notify", "notify", is_list=True),
    SinkKind("alert", "alerts", "alerts", is_list=True),
]
