"""A program for deployments of the simulated Railway: answers with what its environment says, and ends when asked to.

HEALTH      the status that /health answers, 200 without it
ANSWER      what / answers
EXIT        ends at once with this code
/remember   leaves another file on its disk, and answers how many there were
/crash      ends with code 3, /end with code 0
"""

import os
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class Answers(BaseHTTPRequestHandler):
    """One request."""

    def do_GET(self) -> None:
        """Answer, or end."""
        if self.path in {"/crash", "/end"}:
            os._exit(3 if self.path == "/crash" else 0)
        if self.path == "/health":
            body, status = self.headers["Host"], int(os.environ.get("HEALTH", "200"))
        elif self.path == "/remember":
            body, status = str(len(os.listdir())), 200
            Path(f"remembered-{body}").touch()
        else:
            body, status = os.environ.get("ANSWER", ""), 200
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def do_POST(self) -> None:
        """Repeat what was sent."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(201)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the library
        """Say nothing of each request."""


if __name__ == "__main__":
    print("program started", flush=True)
    if "EXIT" in os.environ:
        print("cannot go on", flush=True)
        sys.exit(int(os.environ["EXIT"]))
    ThreadingHTTPServer((os.environ["HOST"], int(os.environ["PORT"])), Answers).serve_forever()
