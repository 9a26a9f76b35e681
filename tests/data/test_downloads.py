"""Downloads go on where they stopped; from a server of our own."""

from __future__ import annotations

import hashlib
import http.server
import re
import threading

import pytest

from hvp.data.downloads import Download, fetch
from hvp.downloads import BLOCK
from hvp.errors import UserError

CONTENT = bytes(range(256)) * 4000


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; breaks off after `stop` bytes; knows ranges where `ranges` is set."""

    stop, ranges, asked = None, True, []

    def do_GET(self):
        type(self).asked.append(self.headers.get("Range"))
        if "missing" in self.path:
            self.send_error(404)
            return
        match = re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range") or "")
        start = int(match[1]) if match and self.ranges else 0
        if start >= len(CONTENT):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(CONTENT) - start))
        self.end_headers()
        self.wfile.write(CONTENT[start : self.stop])

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    class Mine(Server):
        asked = []  # noqa: RUF012

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Mine) as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield Mine, f"http://127.0.0.1:{running.server_port}/a.zip"
        running.shutdown()


@pytest.mark.parametrize("ranges", [True, False])
def test_a_broken_download_goes_on(tmp_path, server, ranges):
    handler, url = server
    handler.stop, handler.ranges = 300_000, ranges
    with pytest.raises(UserError, match="the same command goes on") as caught:
        fetch(Download(url), tmp_path)
    assert url in str(caught.value)
    kept = (tmp_path / "a.zip.part").stat().st_size
    assert 300_000 - BLOCK < kept <= 300_000
    handler.stop = None
    path = fetch(Download(url, hashlib.sha256(CONTENT).hexdigest()), tmp_path)
    assert path.read_bytes() == CONTENT
    assert handler.asked == [None, f"bytes={kept}-"]
    fetch(Download(url), tmp_path)
    assert len(handler.asked) == 2  # what is there is not asked for
    assert [p.name for p in tmp_path.iterdir()] == ["a.zip"]


def test_all_had_arrived_before_it_was_stopped(tmp_path, server):
    _, url = server
    (tmp_path / "a.zip.part").write_bytes(CONTENT)
    assert fetch(Download(url), tmp_path).read_bytes() == CONTENT


def test_another_file_under_the_name(tmp_path, server):
    _, url = server
    with pytest.raises(UserError, match="is not the published file"):
        fetch(Download(url, "0" * 64), tmp_path)
    assert not list(tmp_path.iterdir())


def test_no_file_and_no_server(tmp_path, server):
    _, url = server
    for address, reason in (
        (url.replace("a.zip", "missing.zip"), "HTTP 404 Not Found"),
        ("http://127.0.0.1:9/a.zip", "Connection refused"),
    ):
        with pytest.raises(UserError) as caught:
            fetch(Download(address), tmp_path)
        assert str(caught.value) == (
            f"cannot download {address} ({reason}). Or fetch it elsewhere and name it by --source"
        )
    assert not list(tmp_path.iterdir())
