"""files.py CERTIFICATE KEY FOLDER: an HTTPS server of ready replies; prints its port.

A request is answered with the file that is named as its path and query end. It blocks and has a
thread for each connection: 80 MB cost it a fifth of what they cost an event loop.
"""

import ssl
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"] or 0))
        body = BODIES.get(self.path.rpartition("/")[2], b"[]")
        self.send_response(200)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


if __name__ == "__main__":
    BODIES = {path.name: path.read_bytes() for path in Path(sys.argv[3]).iterdir()}
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    print(server.server_port, flush=True)
    server.serve_forever()
