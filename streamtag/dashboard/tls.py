"""The certificate with which the page is served over https."""

import ssl
from pathlib import Path

from streamtag.errors import ConfigError

__all__ = ["open_context"]


def open_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Return what serves https, from TLS 1.2 on.

    Args:
        certificate: PEM, with whatever leads from it to an authority that browsers know.
        key: PEM, without a password.

    Raises:
        ConfigError: One of them cannot be read, is no such file, or they do not belong together.
    """
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    for option, file in (("--tls-cert", certificate), ("--tls-key", key)):
        try:
            file.read_bytes()
        except OSError as error:
            raise ConfigError(f"{option}: {file} cannot be read: {error.strerror}") from error
    try:
        context.load_cert_chain(certificate, key, password=_no_password)
    except (ssl.SSLError, ValueError) as error:
        raise ConfigError(f"--tls-cert, --tls-key: {_in_words(error, certificate, key)}") from error
    return context


def _no_password() -> str:
    raise ValueError("a password protects the key")  # asked on a terminal, it would hold up everything


def _in_words(error: Exception, certificate: Path, key: Path) -> str:
    reason = getattr(error, "reason", None) or str(error)
    if reason == "KEY_VALUES_MISMATCH":
        return f"the key {key} does not belong to the certificate {certificate}"
    if isinstance(error, ssl.SSLError):
        return f"{certificate} and {key} are not a certificate and its key in PEM ({reason})"
    return f"{key}: {reason}, and this page cannot ask for it: give a key without one"
