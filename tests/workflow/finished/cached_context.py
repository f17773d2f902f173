"""Run by an environment of the crate's validator: puts a JSON-LD context into its HTTP cache.

Arguments: the cache, and the context of RO-Crate 1.1 as the library of its authors ships it.
"""

import io
import sys
from pathlib import Path

from requests import PreparedRequest, Response
from requests.adapters import HTTPAdapter
from requests_cache import CachedSession
from urllib3 import HTTPResponse

CONTEXT = "https://w3id.org/ro/crate/1.1/context"


class Shipped(HTTPAdapter):
    """Answers every request with one file, without a network."""

    def send(self, request: PreparedRequest, **_: object) -> Response:  # type: ignore[override]
        """Return the file as the server would."""
        raw = HTTPResponse(
            io.BytesIO(Path(sys.argv[2]).read_bytes()),
            status=200,
            headers={"Content-Type": "application/ld+json"},
            request_url=request.url,
            preload_content=False,
        )
        return self.build_response(request, raw)


with CachedSession(cache_name=sys.argv[1], backend="sqlite", expire_after=-1) as session:
    session.mount("https://", Shipped())
    session.get(CONTEXT).raise_for_status()
