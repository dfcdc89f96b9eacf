"""Against a server of our own that breaks off, since no test may need the internet."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from pathview.errors import ModelError
from pathview.jobs import Cancelled, never, no_progress
from pathview.models import imagenet
from pathview.models.fetch import fetch, genuine_file
from pathview.models.imagenet import Genuine, kept, weights_folder
from pathview.settings import Settings
from tests.models.hostile import good


class Server(ThreadingHTTPServer):
    """Serves one file; ``breaks_at``: how many bytes the next answer sends of what it promised."""

    content = b""
    breaks_at: int | None = None

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.ranges: list[str | None] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        wanted = self.headers.get("Range")
        self.server.ranges.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted else 0
        part = self.server.content[start:]
        self.send_response(206 if wanted else 200)
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        sent = part if self.server.breaks_at is None else part[: self.server.breaks_at]
        self.server.breaks_at = None
        self.wfile.write(sent)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    good(tmp_path / "served.h5", tmp_path)
    with Server() as server:
        server.content = (tmp_path / "served.h5").read_bytes()
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def entry(server: Server, monkeypatch: pytest.MonkeyPatch) -> Genuine:
    url = f"http://127.0.0.1:{server.server_port}/vgg16_notop.h5"
    entry = Genuine("vgg16", False, url, hashlib.md5(server.content).hexdigest())
    monkeypatch.setattr(imagenet, "GENUINE", (entry,))
    return entry


def test_that_a_download_goes_on_where_it_broke_off(server: Server, entry: Genuine, settings: Settings) -> None:
    server.breaks_at = 700
    with pytest.raises(ModelError, match="cannot be loaded"):
        fetch(entry, settings, no_progress, never())
    assert kept("vgg16", settings) is None
    steps = []
    imported = fetch(entry, settings, steps.append, never())
    assert server.ranges == [None, "bytes=700-"]
    assert (imported.known_to_keras, imported.file) == (True, "vgg16_notop.h5")
    assert (steps[-1].done, steps[-1].total) == (len(server.content), len(server.content))
    assert [path.name for path in sorted(weights_folder(settings).iterdir())] == ["vgg16.h5", "vgg16.json"]


def test_that_a_cancelled_download_keeps_what_came(server: Server, entry: Genuine, settings: Settings) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(Cancelled):
        fetch(entry, settings, no_progress, stop)
    assert fetch(entry, settings, no_progress, never()).backbone == "vgg16"


def test_that_what_is_not_the_file_is_refused(server: Server, entry: Genuine, settings: Settings) -> None:
    server.content = b"an error page of a proxy"
    with pytest.raises(ModelError, match="MD5"):
        fetch(entry, settings, no_progress, never())
    assert kept("vgg16", settings) is None
    assert list(weights_folder(settings).iterdir()) == []


def test_that_no_network_is_one_sentence_with_the_way_out(settings: Settings) -> None:
    closed = Genuine("vgg16", False, "http://127.0.0.1:9/vgg16.h5", "0")
    with pytest.raises(ModelError, match="carry the file here"):
        fetch(closed, settings, no_progress, never())
    with pytest.raises(ModelError, match="no ImageNet weights of 'vgg99'"):
        genuine_file("vgg99", False)
