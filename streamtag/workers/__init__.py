"""Processes that score for a service: windows go there and scores come back through memory that both see."""

from streamtag.workers.messages import Open
from streamtag.workers.scoring_process import WorkerLostError
from streamtag.workers.scoring_worker import ScoringWorker, WorkerRuntime, end_workers, open_in_workers

__all__ = ["Open", "ScoringWorker", "WorkerLostError", "WorkerRuntime", "end_workers", "open_in_workers"]
