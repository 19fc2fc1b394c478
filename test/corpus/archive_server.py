"""A web server of archives that can break off, forget ranges, and be asked what it was asked."""

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Files:
    """What is served and how.

    Attributes:
        contents: path -> bytes.
        version: ETag of all of them.
        cuts: of the next answers, how many bytes are sent before the connection breaks.
        ranges: whether Range is honoured.
        asked: (path, Range header) of each request.
    """

    def __init__(self, contents):
        self.contents = contents
        self.version = '"1"'
        self.cuts = []
        self.ranges = True
        self.asked = []


def _handler(files):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            wanted = self.headers.get("Range")
            files.asked.append((self.path, wanted))
            content = files.contents.get(self.path)
            if content is None:
                self.send_error(404)
                return
            start = 0
            same = self.headers.get("If-Range", files.version) == files.version
            if wanted and files.ranges and same:
                start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])
                if start >= len(content):
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{len(content)}")
                    self.end_headers()
                    return
                self.send_response(206)
                self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
            else:
                self.send_response(200)
            self.send_header("ETag", files.version)
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            end = start + files.cuts.pop(0) if files.cuts else len(content)
            self.wfile.write(content[start:end])

        def log_message(self, *args):
            pass

    return Handler


@contextmanager
def serve(contents):
    """Yield (URL, Files)."""
    files = Files(contents)
    with ThreadingHTTPServer(("127.0.0.1", 0), _handler(files)) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", files
        finally:
            server.shutdown()
            thread.join()
