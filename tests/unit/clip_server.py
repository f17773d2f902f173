"""A local web server that serves clips by their ids, intact or with faults."""

import contextlib
import http.server
import threading
import time
from collections.abc import Iterator, Mapping
from typing import Any

Answer = bytes | int | str


class Clips(http.server.ThreadingHTTPServer):
    """Answer `/<id>.<suffix>` by the id: bytes, a status, or a fault of the bytes."""

    def __init__(self, answers: Mapping[str, Answer], body: bytes) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = dict(answers)
        self.body = body
        self.requests: list[str] = []
        self.times: list[float] = []

    def url(self, suffix: str = "wav") -> str:
        return f"http://127.0.0.1:{self.server_port}/{{id}}.{suffix}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Clips

    def do_GET(self) -> None:
        clip = self.path.strip("/").rsplit(".", 1)[0]
        self.server.requests.append(clip)
        self.server.times.append(time.monotonic())
        answer = self.server.answers.get(clip, 404)
        if isinstance(answer, int):
            self.send_error(answer)
            return
        body = answer if isinstance(answer, bytes) else self.server.body
        self.send_response(200)
        self.send_header("Content-Type", "text/html" if answer == "page" else "audio/wav")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        with contextlib.suppress(OSError):  # the client was killed
            self._send(b"<html>log in</html>" if answer == "page" else body, answer)

    def _send(self, body: bytes, answer: Answer) -> None:
        if answer == "cut":
            self.wfile.write(body[:1000])
        elif answer == "slow":
            for start in range(0, len(body), 2000):
                self.wfile.write(body[start : start + 2000])
                time.sleep(0.05)
        else:
            self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@contextlib.contextmanager
def serving(answers: Mapping[str, Answer], body: bytes) -> Iterator[Clips]:
    """Serve the answers by id until the block ends."""
    with Clips(answers, body) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
