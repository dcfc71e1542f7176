"""Recordings of an archive tagged in processes of this machine."""

from collections.abc import Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice

from streamtag.archive.folder import Run
from streamtag.archive.inputs import Recording
from streamtag.archive.job import Finished
from streamtag.archive.parquet import ModelId
from streamtag.archive.rows import Row, tag
from streamtag.archive.writer import PartWriter
from streamtag.errors import StreamtagError
from streamtag.tagging import TaggingPool

__all__ = ["TaggingHere"]

_LOOK_SECONDS = 0.5


class TaggingHere:
    """Tags recordings in the processes of a pool, each on a core of its own."""

    def __init__(self, pool: TaggingPool, jobs: int) -> None:
        """Tag `jobs` recordings at a time; the pool is closed at the end, in the middle of recordings too."""
        self._pool = pool
        self._jobs = jobs

    def __call__(self, run: Run, model: ModelId, todo: Sequence[Recording]) -> Generator[Finished | None]:
        """Tag recordings, as `Tagging` says."""
        self._pool.start()
        writer = PartWriter(run, model)
        waiting: dict[Future[Row], Recording] = {}
        rest = iter(todo)
        executor = ThreadPoolExecutor(self._jobs, "streamtag-archive")
        try:
            while True:
                # One more for each process, so that none waits for us; results are as large as recordings are long.
                for recording in islice(rest, 2 * self._jobs - len(waiting)):
                    waiting[executor.submit(tag, self._pool, recording.path, embeds=model.embeds)] = recording
                if not waiting:
                    break
                done, _ = wait(waiting, _LOOK_SECONDS, FIRST_COMPLETED)
                for future in done:
                    row = future.result()
                    writer.add(row)
                    writer.write_due()
                    yield Finished.of(waiting.pop(future), row)
                if not done:
                    writer.write_due()
                    yield None
        except (GeneratorExit, StreamtagError):
            writer.write()
            raise
        else:
            writer.write()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)
            self._pool.close()
