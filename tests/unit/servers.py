"""A local web server whose answer, right or wrong, is chosen by the first part of the path."""

import contextlib
import gzip
import http.server
import time
from typing import Any

BODY = bytes(range(256)) * 1600
FILE = "toy.tar.gz"
PACKED = gzip.compress(BODY)
PAGE = b"<!DOCTYPE html><html><body>Please log in</body></html>"


class Handler(http.server.BaseHTTPRequestHandler):
    """Answer by the first part of the path: ok, gone, page, cut, other, packed, slow, odd."""

    requests: list[str]

    def do_GET(self) -> None:
        self.requests.append(self.path)
        kind = self.path.split("/")[1]
        if kind == "gone":
            self.send_error(404)
            return
        body = {"page": PAGE, "other": BODY[::-1], "packed": PACKED}.get(kind, BODY)
        self.send_response(200)
        self.send_header("Content-Length", "abc" if kind == "odd" else str(len(body)))
        if kind == "packed" and "gzip" in self.headers["Accept-Encoding"]:
            self.send_header("Content-Encoding", "gzip")
        self.end_headers()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the client was killed
            self._send(kind, body)

    def _send(self, kind: str, body: bytes) -> None:
        if kind == "cut":
            self.wfile.write(body[:1000])
        elif kind == "slow":
            for start in range(0, len(body), 16_384):
                self.wfile.write(body[start : start + 16_384])
                self.wfile.flush()
                time.sleep(0.04)
        else:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


class Server:
    def __init__(self) -> None:
        self.requests: list[str] = []
        handler = type("Counting", (Handler,), {"requests": self.requests})
        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}"

    def address(self, kind: str) -> str:
        return f"{self.url}/{kind}/{FILE}"
