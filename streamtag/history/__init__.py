"""Events of the last days in SQLite, and a short recording around each onset where that is wanted."""

from streamtag.history.embeddings import StoredEmbeddings
from streamtag.history.event_ids import event_id, read_event_id
from streamtag.history.export import FORMATS, export
from streamtag.history.raising import Raise, raised, raised_on
from streamtag.history.reader import HistoryReader, StoredEvent
from streamtag.history.recorder import History
from streamtag.history.verdicts import Verdict, read_verdicts, withdraw_verdict, write_verdict

__all__ = [
    "FORMATS",
    "History",
    "HistoryReader",
    "Raise",
    "StoredEmbeddings",
    "StoredEvent",
    "Verdict",
    "event_id",
    "export",
    "raised",
    "raised_on",
    "read_event_id",
    "read_verdicts",
    "withdraw_verdict",
    "write_verdict",
]
