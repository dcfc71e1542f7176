"""The web page: a process of its own that subscribes to a running service."""

import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from streamtag.errors import StreamtagError
from streamtag.keys import ClientKey
from streamtag.settings import Config

__all__ = ["launch"]


def launch(
    *,
    connect: str,
    host: str = "127.0.0.1",
    port: int = 7860,
    auth: str | None = None,
    allow_write: bool = False,
    config: Config | None = None,
    key: ClientKey | None = None,
    host_names: Sequence[str] = (),
    tls: tuple[Path, Path] | None = None,
    token_file: str | None = None,
    ingress: str | None = None,
) -> None:
    """Serve the web page until SIGINT or SIGTERM; to be called in the main thread.

    Args:
        connect: the service's endpoint; a service that is not there yet is waited for.
        host: the address to listen at.
        port: the TCP port to listen at.
        auth: `user:password-file`; everybody who reaches the address may look when absent.
        allow_write: let the page save thresholds though nobody logs in.
        config: the service's settings: where its history lies, its model, and the file to save thresholds into.
        key: the key with which the page may connect, where the service asks for one.
        host_names: under which the page may be asked for too, beside addresses and this machine's own names.
        tls: certificate and key, in PEM, to serve https with; http without.
        token_file: its first line lets programs into the read API, as `Authorization: Bearer`.
        ingress: the address of Home Assistant's ingress: it alone is answered, and believed who asks under which path.

    Raises:
        StreamtagError: the extra 'dashboard' is not installed, the address is in use, or an argument is wrong.
    """
    for number in (signal.SIGINT, signal.SIGTERM):  # the server hands them on once it has stopped
        signal.signal(number, lambda *_: sys.exit(0))
    try:
        from streamtag.dashboard.server import serve
    except ImportError as error:
        raise StreamtagError(
            f"the web page needs the extra 'dashboard' ({error.name} is missing): pip install 'streamtag[dashboard]'"
        ) from error
    serve(
        connect=connect,
        host=host,
        port=port,
        auth=auth,
        allow_write=allow_write,
        config=config or Config(),
        key=key,
        host_names=host_names,
        tls=tls,
        token_file=token_file,
        ingress=ingress,
    )
