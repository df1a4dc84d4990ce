"""An API that answers only with the right token. It reads its secrets as files, when it starts."""

import hmac
import json
import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

credentials = Path(os.environ["CREDENTIALS_DIRECTORY"])
token = (credentials / "api-token").read_bytes()
session_key = (credentials / "session-key").read_bytes()


class Handler(BaseHTTPRequestHandler):
    """``/healthz`` answers anybody, and every other path needs ``Authorization: Bearer TOKEN``."""

    def do_GET(self) -> None:
        """Answer a request, with a signature of its path."""
        given = self.headers.get("Authorization", "").removeprefix("Bearer ").encode("latin-1")
        known = hmac.compare_digest(given, token)
        signature = hmac.new(session_key, self.path.encode(), "sha256").hexdigest()
        body = json.dumps({"path": self.path, "signature": signature} if known else {}).encode()
        self.send_response(200 if known or self.path == "/healthz" else 401)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


ThreadingHTTPServer(("", 8000), Handler).serve_forever()
