"""Downloads come whole or not at all; all against a server in this process."""

import hashlib
import http.server
import threading
import time

import pytest

from im2tex.data.preparation.download import Retry, download, is_url
from im2tex.errors import Im2TexError

CONTENT = bytes(range(256)) * 4000  # about a megabyte
FAST = Retry(attempts=3, pause=0.0, timeout=5.0)
HALF = len(CONTENT) // 2


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; `behave` says what goes wrong, `log` what was asked."""

    behave: list[str]
    log: list[str]

    def do_GET(self):
        self.log.append(self.path)
        behaviour = self.behave.pop(0) if self.behave else "well"
        kind, _, value = behaviour.partition(" ")
        getattr(self, f"do_{kind}", self.do_well)(value)

    def start(self, status=200, **headers):
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()

    def do_well(self, _):
        self.start(Content_Length=str(len(CONTENT)), ETag='"one"')
        self.wfile.write(CONTENT)

    def do_status(self, value):
        self.start(int(value), Content_Length="0")

    def do_breaks(self, _):
        self.start(Content_Length=str(len(CONTENT)), ETag='"one"', Accept_Ranges="bytes")
        self.wfile.write(CONTENT[:HALF])

    def do_part(self, _):
        self.start(206, Content_Length=str(HALF), Content_Range=f"bytes 0-{HALF - 1}/{HALF * 2}")
        self.wfile.write(CONTENT[:HALF])

    def do_page(self, _):
        self.start(Content_Type="text/html; charset=utf-8", Content_Length="4")
        self.wfile.write(b"page")

    def do_length(self, value):
        self.start(**({"Content_Length": value} if value else {}))
        self.wfile.write(CONTENT[:HALF])

    def do_chunked(self, value):
        self.protocol_version = "HTTP/1.1"
        self.start(Transfer_Encoding="chunked", Connection="close")
        self.close_connection = True
        self.wfile.write(b"%x\r\n%b\r\n" % (len(CONTENT), CONTENT))
        if value == "whole":
            self.wfile.write(b"0\r\n\r\n")

    def do_to(self, value):
        self.start(302, Location=value, Content_Length="0")

    def do_drip(self, _):
        self.start(Content_Length=str(len(CONTENT)))
        for _ in range(100):
            self.wfile.write(b"x")
            self.wfile.flush()
            time.sleep(0.05)

    def log_message(self, *_):
        pass


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    handler = type("Handler", (Server,), {"behave": [], "log": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        running.handle_error = lambda *_: None  # the client goes away in the middle
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        handler.url = f"http://127.0.0.1:{running.server_address[1]}/some%20where/crohme.zip"
        yield handler
        running.shutdown()
        thread.join()


def test_download_second_time_is_found_there(server, tmp_path):
    path = download(server.url, tmp_path / "downloads", FAST)
    assert path.read_bytes() == CONTENT
    assert path.parent == tmp_path / "downloads"
    assert path.name.endswith("-crohme.zip")
    assert download(server.url, tmp_path / "downloads", FAST) == path
    assert len(server.log) == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("slip", ["breaks", "status 503", "status 429", "chunked cut"])
def test_download_that_breaks_off_begins_again(server, tmp_path, slip):
    server.behave[:] = [slip, slip]
    path = download(server.url, tmp_path, FAST)
    assert path.read_bytes() == CONTENT
    assert len(server.log) == 3
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("slip", ["breaks", "chunked cut", f"length {len(CONTENT)}"])
def test_download_that_never_comes_whole_is_not_kept(server, tmp_path, slip):
    server.behave[:] = [slip] * 3
    with pytest.raises(Im2TexError, match="Nothing was kept: run the command again"):
        download(server.url, tmp_path, FAST)
    assert list(tmp_path.iterdir()) == []
    assert download(server.url, tmp_path, FAST).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("slip", "message"),
    [
        ("length", "says nothing of the file's length"),
        ("length abc", "says 'abc' of the file's length"),
        ("length -5", "says '-5' of the file's length"),
        ("length 0", "empty file"),
        ("length 5, 7", "127.0.0.1"),
        ("status 204", "204"),
        ("status 404", "404"),
        ("status 304", "304"),
        ("part", "206"),
        ("page", "web page"),
        ("to ftp://127.0.0.1/x", "only http and https"),
        ("to file:///etc/passwd", "only http and https"),
        ("to http://[", "only http and https"),
    ],
)
def test_download_of_something_else_is_said_at_once(server, tmp_path, slip, message):
    server.behave[:] = [slip]
    with pytest.raises(Im2TexError, match=message) as caught:
        download(server.url, tmp_path, FAST)
    assert "\n" not in str(caught.value)
    assert len(server.log) == 1
    assert list(tmp_path.iterdir()) == []


def test_download_whose_body_is_chunked_is_whole(server, tmp_path):
    server.behave[:] = ["chunked whole"]
    assert download(server.url, tmp_path, FAST).read_bytes() == CONTENT


def test_download_without_length_is_kept_where_its_checksum_is_known(server, tmp_path):
    server.behave[:] = ["length"]
    whole = hashlib.sha256(CONTENT[:HALF]).hexdigest()
    assert download(f"{server.url}#sha256={whole}", tmp_path, FAST).stat().st_size == HALF


def test_download_follows_redirections_but_not_for_ever(server, tmp_path):
    server.behave[:] = ["to /elsewhere/a.zip", "to b.zip"]
    assert download(server.url, tmp_path, FAST).read_bytes() == CONTENT
    assert server.log[1:] == ["/elsewhere/a.zip", "/elsewhere/b.zip"]
    server.behave[:] = ["to /again"] * 20
    with pytest.raises(Im2TexError, match="one address to the next"):
        download(f"{server.url}?2", tmp_path, FAST)


def test_download_beyond_the_limit_is_refused(server, tmp_path):
    for slip in ("well", "chunked whole"):
        server.behave[:] = [slip]
        with pytest.raises(Im2TexError, match="larger than 1000 bytes"):
            download(server.url, tmp_path, FAST, largest=1000)
    assert list(tmp_path.iterdir()) == []


def test_download_that_drips_is_broken_off(server, tmp_path):
    server.behave[:] = ["drip"]
    with pytest.raises(Im2TexError, match="bytes came in"):
        download(server.url, tmp_path, Retry(1, 0.0, timeout=0.3, least=1000))


def test_download_without_a_server_says_so(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(Im2TexError, match="no answer") as caught:
        download("http://127.0.0.1:9/x.zip", tmp_path, FAST)
    assert "object at" not in str(caught.value)


def test_download_with_another_checksum_is_not_kept(server, tmp_path):
    right = hashlib.sha256(CONTENT).hexdigest()
    assert download(f"{server.url}#sha256={right}", tmp_path, FAST).exists()
    with pytest.raises(Im2TexError, match="checksum"):
        download(f"{server.url}#sha256={'0' * 64}", tmp_path, FAST)
    assert list(tmp_path.iterdir()) == []


def test_download_replaces_a_stale_file_with_another_checksum(server, tmp_path):
    path = download(server.url, tmp_path, FAST)
    path.write_bytes(b"another version")
    right = hashlib.sha256(CONTENT).hexdigest()
    assert download(f"{server.url}#sha256={right}", tmp_path, FAST).read_bytes() == CONTENT


def test_download_into_a_folder_that_cannot_be_made_names_root(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Im2TexError, match="--root"):
        download(server.url, tmp_path / "file" / "downloads", FAST)


def test_is_url_tells_addresses_from_paths():
    assert is_url("https://a.org/b.zip")
    assert not is_url("/data/b.zip")
    assert not is_url("C:\\data\\b.zip")


@pytest.mark.parametrize(
    "url", ["ftp://a.org/b.zip", "file:///a/b.zip", "http:///b", "http://[a/b"]
)
def test_download_of_other_schemes_is_refused(tmp_path, url):
    with pytest.raises(Im2TexError, match="http"):
        download(url, tmp_path, FAST)
