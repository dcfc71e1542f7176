"""A web server of the test's own, which is told by webhooks."""

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Receiver:
    """A web server that answers what it is told to."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.got: list[tuple[dict[str, Any], dict[str, str]]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        self.tries: list[str] = []
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                receiver.tries.append(body["id"])
                status, headers = receiver.answers.pop(0) if receiver.answers else (204, {})
                if status < 300:
                    receiver.got.append((body, dict(self.headers)))
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,)).start()

    @property
    def ids(self) -> list[str]:
        return [body["id"] for body, _ in self.got]

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
