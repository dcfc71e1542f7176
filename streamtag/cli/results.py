"""Where the results of `tag` go: to standard output, or each into a file of its own."""

import sys
from pathlib import Path

from streamtag.atomic_file import write_whole
from streamtag.cli.formats import Format, Tagged
from streamtag.cli.output import note
from streamtag.cli.recordings import Recording
from streamtag.event_tables import on_one_line

__all__ = ["Results"]


class Results:
    """Prints results, or writes each into a file of its own.

    Attributes:
        failed: whether a recording could not be tagged, or its result not be written.
    """

    def __init__(self, form: Format, folder: Path | None) -> None:
        self.failed = False
        self._form = form
        self._folder = folder
        if folder is None:
            sys.stdout.write(form.title)

    def show(self, recording: Recording, tagged: Tagged) -> None:
        """Show one recording's results.

        Raises:
            OSError: standard output cannot be written; a file that cannot be is told, and counts as failed.
        """
        for remark in tagged.result.notes if tagged.result else ():
            note(f"{on_one_line(tagged.name)}: {remark}")
        if tagged.result is None:
            self.failed = True
            if self._folder is not None or not self._form.tells_errors:
                note(on_one_line(tagged.error))
        text = self._form.render(tagged)
        if self._folder is None:
            sys.stdout.write(text)
            sys.stdout.flush()
        elif tagged.result is not None or self._form.tells_errors:
            path = self._folder / f"{recording.result_path}{self._form.suffix}"
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
                content = (self._form.title + text).encode("utf-8", "surrogateescape")
                write_whole(path, content, lasting=False)  # a recording can be tagged again
            except OSError as error:
                self.failed = True
                note(f"{on_one_line(str(path))} cannot be written: {(error.strerror or str(error)).lower()}")
