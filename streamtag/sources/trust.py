"""Whose certificates are believed."""

import os
import ssl
from pathlib import Path

__all__ = ["trusted", "trusting"]

# Debian, Fedora, openSUSE, Alpine: OpenSSL's own default names a file that few systems have.
_SYSTEMS = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/ssl/cert.pem",
)


def trusted(ca_file: str | None) -> str:
    """The file with the certificates of those who vouch for servers.

    Args:
        ca_file: the user's own; None for `SSL_CERT_FILE`, or the system's, or Mozilla's list.
    """
    if ca_file is not None:
        return ca_file
    for path in (os.environ.get("SSL_CERT_FILE", ""), *_SYSTEMS):
        if path and Path(path).is_file():
            return path
    import certifi

    return certifi.where()


def trusting(ca_file: str | None) -> ssl.SSLContext:
    """What Python's own connections are checked by, to the same end.

    Raises:
        OSError: the file cannot be read, or holds no certificate (`ssl.SSLError`).
    """
    context = ssl.create_default_context(cafile=trusted(ca_file))
    # From Python 3.13 on a CA must say what its key is for, which those that people make for themselves rarely do;
    # FFmpeg, which takes the same file, does not ask for it.
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT
    return context
