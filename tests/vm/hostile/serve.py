"""Answers on many ports, each with its own text, and keeps the paths that were asked for.

The argument is a JSON file: port → text.
"""

import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

answers = json.loads(Path(sys.argv[1]).read_text())
lock = threading.Lock()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        body = answers[str(self.server.server_port)].encode()
        with lock, Path("/run/requests").open("a") as log:
            # the line as it came, not as the server normalised it
            print(self.raw_requestline.decode("latin-1").split(" ")[1], file=log)
        self.send_response(204 if not body else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


for port in answers:
    server = HTTPServer(("127.0.0.1", int(port)), Handler)
    threading.Thread(target=server.serve_forever).start()
