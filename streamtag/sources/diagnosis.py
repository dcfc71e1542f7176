"""Why a connection could not be made, where FFmpeg says only that it could not."""

import socket
import ssl
from urllib.parse import urlsplit

from streamtag.sources.reach import NO_SUCH_HOST
from streamtag.sources.trust import trusting
from streamtag.sources.web import distrust

__all__ = ["diagnose"]

_LONGEST_SECONDS = 5.0
_PORTS = {"https": 443, "rtsps": 322}


def diagnose(url: str, ca_file: str | None) -> str | None:
    """Look for the reason once more, by other means; no user or password is sent. None: nothing was found."""
    parts = urlsplit(url)
    try:
        port = parts.port or _PORTS.get(parts.scheme)
        socket.getaddrinfo(parts.hostname, port)
        if parts.scheme not in _PORTS:
            return None
        with (
            socket.create_connection((parts.hostname or "", port or 0), _LONGEST_SECONDS) as plain,
            trusting(ca_file).wrap_socket(plain, server_hostname=parts.hostname),
        ):
            return None
    except (socket.gaierror, UnicodeError):
        return NO_SUCH_HOST
    except ssl.SSLCertVerificationError as error:
        return distrust(error)
    except ssl.SSLError:
        return "it does not speak TLS as it should"
    except (OSError, ValueError):
        return None
