"""Recordings of an archive tagged by the nodes of a Ray cluster, which all see recordings and folder under one path.

Ray hands out the blocks and does again what is lost with a process or a node. What is done stands in the parts alone,
with and without Ray: a block is one part, named after the run and the block, so one that is done twice is there once.
"""

import logging
import os
import queue
import socket
from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from typing import Any

import msgspec

from streamtag.archive.blocks import blocks_of
from streamtag.archive.folder import Run, is_run_of
from streamtag.archive.inputs import Recording, State
from streamtag.archive.job import Finished
from streamtag.archive.parquet import ModelId, write_part
from streamtag.archive.rows import tag
from streamtag.errors import BundleError, RuntimeUnavailableError, StreamtagError
from streamtag.machine import version_of
from streamtag.runtime_kinds import RUNTIMES, meant_by
from streamtag.settings import EventSettings
from streamtag.tagging import TaggingPool
from streamtag.threads import Worker

__all__ = ["TaggingOnRay"]

_LOOK_SECONDS = 0.5
_PROCESSES_A_GPU = 8
"""Decoding keeps as many cores busy as a GPU has time for, and each process has its own copy of the model."""
_TIMEOUT_SECONDS = 6 * 3600.0
"""So long Ray may wait for a block: half an hour, which it takes by itself, is short for a file of a week."""


@dataclass(frozen=True, slots=True)
class _Job:
    """What a process of the cluster needs to know."""

    bundle: str
    runtime: str
    events: EventSettings
    groups: Mapping[str, Sequence[str]]
    run: Run
    model: ModelId
    version: str
    """Streamtag's, on the machine that asks."""


class _Told(msgspec.Struct):
    """What came of a block."""

    finished: list[Finished] = []
    failure: str = ""
    """Why nothing can be tagged there, or not be written."""


class _Block(msgspec.Struct):
    """What a process is to do."""

    number: int
    recordings: list[tuple[bytes, int | None, float | None]]


class Archivist:
    """A process of the cluster: one model, one block after the other."""

    def __init__(self, job: _Job) -> None:
        self._job = job
        self._pool: TaggingPool | None = None

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Do the blocks of a batch of Ray Data's, and tell what came of them."""
        blocks = [msgspec.msgpack.decode(block, type=_Block) for block in batch["block"]]
        return {"told": [msgspec.msgpack.encode(self._do(block)) for block in blocks]}

    def _do(self, block: _Block) -> _Told:
        job, here, run = self._job, socket.gethostname(), self._job.run
        if version_of("streamtag") != job.version:
            return _Told(failure=f"{here} has Streamtag {version_of('streamtag')}, and {job.version} is asked for")
        still = partial(is_run_of, run.folder, run.shard, run.id)
        if not still():
            return _Told(failure=f"{here} does not find this run in {run.folder}: all nodes must share that folder")
        found = [Recording(os.fsdecode(path), State(size, mtime)) for path, size, mtime in block.recordings]
        try:
            rows = [tag(self._opened(), recording.path, embeds=job.model.embeds) for recording in found]
            write_part(run.part(block.number), rows, job.model, still)
        except (BundleError, RuntimeUnavailableError) as error:
            return _Told(failure=f"{here}: {error}")
        except OSError as error:
            return _Told(failure=f"{here}: {run.folder} cannot be written: {(error.strerror or str(error)).lower()}")
        return _Told([Finished.of(recording, row) for recording, row in zip(found, rows, strict=True)])

    def _opened(self) -> TaggingPool:
        if self._pool is None:
            job = self._job
            pool = TaggingPool(job.bundle, job.runtime, events=job.events, groups=job.groups)
            pool.start()
            self._pool = pool
        return self._pool


class TaggingOnRay:
    """Tags recordings on the cluster to which this process is connected."""

    def __init__(
        self,
        bundle: str,
        runtime: str,
        events: EventSettings,
        groups: Mapping[str, Sequence[str]],
        jobs: int | None,
    ) -> None:
        """Prepare.

        Args:
            bundle: as for `TaggingPool`; every node must have it.
            runtime: as for `TaggingPool`.
            events: as for `TaggingPool`.
            groups: as for `TaggingPool`.
            jobs: recordings at a time; one for each core of the cluster when absent.
        """
        self._bundle = bundle
        self._runtime = runtime
        self._events = events
        self._groups = groups
        self._jobs = jobs

    def __call__(self, run: Run, model: ModelId, todo: Sequence[Recording]) -> Generator[Finished | None]:
        """Tag recordings, as `Tagging` says."""
        job = _Job(self._bundle, self._runtime, self._events, self._groups, run, model, version_of("streamtag"))
        told: queue.SimpleQueue[_Told | BaseException | None] = queue.SimpleQueue()

        def run_all() -> None:
            try:
                for row in self._dataset(job, todo).iter_rows():
                    told.put(msgspec.msgpack.decode(row["told"], type=_Told))
                told.put(None)
            except Exception as error:  # of any kind that Ray has, or a task of its
                told.put(error)

        Worker("ray", run_all, on_failure=told.put).start()
        while True:
            try:
                one = told.get(timeout=_LOOK_SECONDS)
            except queue.Empty:
                yield None
                continue
            if one is None:
                return
            if isinstance(one, BaseException):
                raise StreamtagError(f"the Ray cluster gave up: {' '.join(str(one).split())[:300]}") from one
            if one.failure:
                raise StreamtagError(one.failure)
            yield from one.finished

    def _dataset(self, job: _Job, todo: Sequence[Recording]) -> Any:
        import ray.data

        context = ray.data.DataContext.get_current()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.execution_no_progress_timeout_s = _TIMEOUT_SECONDS
        logging.getLogger("ray.data").setLevel(logging.ERROR)
        there = ray.cluster_resources()
        processes = self._jobs or max(1, int(there.get("CPU", 1)))
        gpus = int(there.get("GPU", 0)) if _wants_gpu(self._runtime) else 0
        if gpus:
            processes = min(processes, gpus * _PROCESSES_A_GPU)
        blocks = [
            msgspec.msgpack.encode(_Block(number, [(os.fsencode(one.path), *one.state) for one in block]))
            for number, block in enumerate(blocks_of(todo, processes), start=1)
        ]
        # One block of ours is one of Ray's: what is lost is done again by these.
        data = ray.data.from_items([{"block": block} for block in blocks], override_num_blocks=len(blocks))
        return data.map_batches(
            Archivist,
            fn_constructor_args=(job,),
            batch_size=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=processes, initial_size=processes),
            num_cpus=1,
            num_gpus=1 / _PROCESSES_A_GPU if gpus else None,
        )


def _wants_gpu(runtime: str) -> bool:
    """Whether a GPU is used where one is there."""
    kinds = [RUNTIMES[name] for name in meant_by(runtime) if name in RUNTIMES]
    return any(kind.device == "GPU" and kind.package and find_spec(kind.package) for kind in kinds)
