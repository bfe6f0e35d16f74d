"""Tests of downloads, against a server in this process."""

import hashlib
import http.server
import threading

import pytest

from im2tex.data.preparation.download import download, is_url
from im2tex.errors import Im2TexError

CONTENT = bytes(range(256)) * 4000  # about a megabyte
HALF = len(CONTENT) // 2


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT; `behave` lists the answers, `log` records the requested paths."""

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


def test_download_called_twice_requests_once(server, tmp_path):
    path = download(server.url, tmp_path / "downloads")
    assert path.read_bytes() == CONTENT
    assert path.parent == tmp_path / "downloads"
    assert path.name.endswith("-crohme.zip")
    assert download(server.url, tmp_path / "downloads") == path
    assert len(server.log) == 1
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("answer", ["breaks", "chunked cut", f"length {len(CONTENT)}"])
def test_download_incomplete_body_is_not_stored(server, tmp_path, answer):
    server.behave[:] = [answer]
    with pytest.raises(Im2TexError, match=r"cannot be downloaded: .*Run the command again"):
        download(server.url, tmp_path)
    assert list(tmp_path.iterdir()) == []
    assert download(server.url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("length 0", "empty file"),
        ("status 204", "204"),
        ("status 404", "404"),
        ("status 503", "503"),
        ("part", "206"),
        ("page", "web page"),
        ("to ftp://127.0.0.1/x", "cannot be downloaded"),
        ("to file:///etc/passwd", "cannot be downloaded"),
        ("to http://[", "cannot be downloaded"),
    ],
)
def test_download_without_file_is_refused(server, tmp_path, answer, message):
    server.behave[:] = [answer]
    with pytest.raises(Im2TexError, match=message) as caught:
        download(server.url, tmp_path)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_download_chunked_body_is_stored(server, tmp_path):
    server.behave[:] = ["chunked whole"]
    assert download(server.url, tmp_path).read_bytes() == CONTENT


def test_download_follows_redirections(server, tmp_path):
    server.behave[:] = ["to /elsewhere/a.zip", "to b.zip"]
    assert download(server.url, tmp_path).read_bytes() == CONTENT
    assert server.log[1:] == ["/elsewhere/a.zip", "/elsewhere/b.zip"]
    server.behave[:] = ["to /again"] * 50
    with pytest.raises(Im2TexError, match="redirects"):
        download(f"{server.url}?2", tmp_path)


def test_download_without_server_is_refused(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    with pytest.raises(Im2TexError, match="cannot be downloaded") as caught:
        download("http://127.0.0.1:9/x.zip", tmp_path)
    assert "object at" not in str(caught.value)


def test_download_wrong_checksum_is_not_stored(server, tmp_path):
    right = hashlib.sha256(CONTENT).hexdigest()
    path = download(f"{server.url}#sha256={right}", tmp_path)
    path.unlink()
    with pytest.raises(Im2TexError, match="checksum"):
        download(f"{server.url}#sha256={'0' * 64}", tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_download_replaces_file_with_other_checksum(server, tmp_path):
    path = download(server.url, tmp_path)
    path.write_bytes(b"another version")
    right = hashlib.sha256(CONTENT).hexdigest()
    assert download(f"{server.url}#sha256={right}", tmp_path).read_bytes() == CONTENT


def test_download_unwritable_folder_names_root(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Im2TexError, match="--root"):
        download(server.url, tmp_path / "file" / "downloads")


def test_is_url_distinguishes_urls_from_paths():
    assert is_url("https://a.org/b.zip")
    assert not is_url("/data/b.zip")
    assert not is_url("C:\\data\\b.zip")


@pytest.mark.parametrize(
    "url", ["ftp://a.org/b.zip", "file:///a/b.zip", "http:///b", "http://[a/b"]
)
def test_download_other_scheme_is_refused(tmp_path, url):
    with pytest.raises(Im2TexError, match="cannot be downloaded"):
        download(url, tmp_path)
