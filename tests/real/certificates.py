"""Certificates for servers of the tests: of an authority of our own, with the right name or with another."""

import socket
import ssl
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.real.servers import TcpServer, program_path, pump


@dataclass(frozen=True, slots=True)
class Authority:
    """Files: the authority's certificate, and servers' certificates with their keys."""

    ca: Path
    good: Path
    """For 127.0.0.1, by the authority."""
    other_name: Path
    """For another host, by the authority."""
    selfmade: Path
    """For 127.0.0.1, by itself."""


def make_authority(folder: Path) -> Authority:
    def openssl(*words: str) -> None:
        subprocess.run([program_path("openssl"), *words], cwd=folder, check=True, capture_output=True)

    new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    openssl(*new, "-x509", "-days", "30", "-subj", "/CN=Test CA", "-keyout", "ca.key", "-out", "ca.pem")
    for name, host in (("good", "IP:127.0.0.1"), ("other", "DNS:other.example")):
        openssl(*new, "-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr")
        (folder / f"{name}.ext").write_text(f"subjectAltName={host}")
        by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", "30", "-extfile", f"{name}.ext"]
        openssl("x509", "-req", "-in", f"{name}.csr", "-out", f"{name}.pem", *by)
    subject = ["-subj", "/CN=self", "-addext", "subjectAltName=IP:127.0.0.1"]
    openssl(*new, "-x509", "-days", "30", *subject, "-keyout", "self.key", "-out", "self.pem")
    for each in ("good", "other", "self"):
        both = (folder / f"{each}.pem").read_text() + (folder / f"{each}.key").read_text()
        (folder / f"{each}-both.pem").write_text(both)
    return Authority(folder / "ca.pem", folder / "good-both.pem", folder / "other-both.pem", folder / "self-both.pem")


class TlsFront:
    """Ends TLS before a server that knows none, and keeps what clients said."""

    def __init__(self, certificate: Path, port: int) -> None:
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate)
        self._inner_port = port
        self.said = b""
        self.server: TcpServer

    def treat(self, connection: socket.socket, number: int) -> None:
        with (
            self._context.wrap_socket(connection, server_side=True) as outer,
            socket.create_connection(("127.0.0.1", self._inner_port)) as inner,
        ):
            pump(outer, inner, self._keep)

    def _keep(self, data: bytes) -> None:
        self.said += data


@contextmanager
def tls_front(certificate: Path, port: int) -> Iterator[TlsFront]:
    front = TlsFront(certificate, port)
    with TcpServer(front.treat) as front.server:
        yield front
