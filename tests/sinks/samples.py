"""Messages as sinks are told them."""

from streamtag.sinks.sink import SinkMessage
from streamtag.wire.messages import EventHeader


def event(state: str, number: int, label: str = "Dog", session: str = "1a2b3c4d") -> SinkMessage:
    is_on = state == "on"
    header = EventHeader(
        session=session,
        seq=2 * number + (not is_on),
        time=1_700_000_002.0,
        stream="porch",
        id=number,
        label=label,
        index=0,
        state=state,
        onset=1.0,
        offset=None if is_on else 2.0,
        peak=0.9,
        onset_time=1_700_000_000.5,
        offset_time=None if is_on else 1_700_000_001.5,
    )
    return SinkMessage(header)
