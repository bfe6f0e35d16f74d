"""Downloads resume, are checked, and say what went wrong; all against a server in this process."""

import hashlib
import http.server
import threading

import pytest

from im2tex.data.download import Retry, download, is_url
from im2tex.errors import Im2TexError

CONTENT = bytes(range(256)) * 4000  # about a megabyte
FAST = Retry(attempts=3, pause=0.0, timeout=5.0)


class Server(http.server.BaseHTTPRequestHandler):
    """Serves CONTENT with ranges; `behave` says what goes wrong, `log` what was asked."""

    behave: list[str]
    log: list[tuple[str | None, str | None]]
    etag: str

    def do_GET(self):
        cls = type(self)
        cls.log.append((self.headers["Range"], self.headers["If-Range"]))
        behaviour = cls.behave.pop(0) if cls.behave else "well"
        if behaviour.isdigit():
            self.send_error(int(behaviour))
            return
        body, status, start = CONTENT, 200, 0
        wanted = self.headers["Range"]
        fresh = self.headers["If-Range"] == cls.etag
        if wanted and fresh and behaviour != "no ranges":
            start = int(wanted.removeprefix("bytes=").removesuffix("-"))
            if start >= len(CONTENT):
                self.send_error(416)
                return
            body, status = CONTENT[start:], 206
        self.send_response(status)
        page = behaviour == "page"
        self.send_header("Content-Type", "text/html; charset=utf-8" if page else "application/zip")
        self.send_header("Content-Length", str(len(body)))
        if behaviour != "no mark":
            self.send_header("ETag", cls.etag)
        if status == 206:
            self.send_header("Content-Range", f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}")
        self.end_headers()
        self.wfile.write(body[: len(body) // 2] if behaviour in ("breaks", "no mark") else body)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    handler = type("Handler", (Server,), {"behave": [], "log": [], "etag": '"one"'})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as running:
        thread = threading.Thread(target=running.serve_forever, args=(0.01,), daemon=True)
        thread.start()
        handler.url = f"http://127.0.0.1:{running.server_address[1]}/some%20where/crohme.zip"
        yield handler
        running.shutdown()
        thread.join()


def test_a_download_and_no_second_one(server, tmp_path):
    path = download(server.url, tmp_path / "downloads", FAST)
    assert path.read_bytes() == CONTENT
    assert path.parent == tmp_path / "downloads"
    assert path.name.endswith("-crohme.zip")
    assert download(server.url, tmp_path / "downloads", FAST) == path
    assert server.log == [(None, None)]
    assert list(path.parent.iterdir()) == [path]


def test_a_broken_connection_is_resumed_where_it_broke(server, tmp_path):
    server.behave[:] = ["breaks", "breaks"]
    path = download(server.url, tmp_path, FAST)
    assert path.read_bytes() == CONTENT
    # Half arrives, then half of the rest, then the rest.
    half = len(CONTENT) // 2
    assert server.log == [
        (None, None),
        (f"bytes={half}-", '"one"'),
        (f"bytes={half + half // 2}-", '"one"'),
    ]


def test_an_interrupted_download_goes_on_in_the_next_run(server, tmp_path):
    server.behave[:] = ["breaks"]
    with pytest.raises(Im2TexError, match="run the command again"):
        download(server.url, tmp_path, Retry(1, 0, 5))
    path = download(server.url, tmp_path, Retry(1, 0, 5))
    assert path.read_bytes() == CONTENT
    assert server.log[1] == (f"bytes={len(CONTENT) // 2}-", '"one"')


def test_a_file_that_changed_on_the_server_is_fetched_anew(server, tmp_path):
    server.behave[:] = ["breaks"]
    with pytest.raises(Im2TexError):
        download(server.url, tmp_path, Retry(1, 0, 5))
    server.etag = '"two"'
    assert download(server.url, tmp_path, FAST).read_bytes() == CONTENT


@pytest.mark.parametrize("second", ["no ranges", "no mark"])
def test_servers_that_cannot_resume_send_everything(server, tmp_path, second):
    server.behave[:] = ["breaks", second]
    assert download(server.url, tmp_path, Retry(4, 0, 5)).read_bytes() == CONTENT


def test_an_interruption_between_the_last_byte_and_the_end(server, tmp_path):
    path = download(server.url, tmp_path, FAST)
    # As if killed just before the renaming.
    path.rename(path.with_name(path.name + ".part"))
    about = path.with_name(path.name + ".part.json")
    about.write_text('{"mark": "\\"one\\"", "size": %d}' % len(CONTENT))  # noqa: UP031
    assert download(server.url, tmp_path, FAST).read_bytes() == CONTENT
    assert server.log[1][0] == f"bytes={len(CONTENT)}-"


def test_a_server_out_of_breath_is_asked_again(server, tmp_path):
    server.behave[:] = ["503"]
    assert download(server.url, tmp_path, FAST).read_bytes() == CONTENT


def test_a_web_page_is_no_archive(server, tmp_path):
    server.behave[:] = ["page"]
    with pytest.raises(Im2TexError, match="web page"):
        download(server.url, tmp_path, FAST)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_address_is_said_at_once(server, tmp_path):
    server.behave[:] = ["404", "404"]
    with pytest.raises(Im2TexError, match="404"):
        download(server.url, tmp_path, FAST)
    assert len(server.log) == 1


def test_no_server_at_all(tmp_path):
    with pytest.raises(Im2TexError, match="no answer"):
        download("http://127.0.0.1:9/x.zip", tmp_path, FAST)


def test_checksums(server, tmp_path):
    right = hashlib.sha256(CONTENT).hexdigest()
    assert download(f"{server.url}#sha256={right}", tmp_path, FAST).exists()
    with pytest.raises(Im2TexError, match="checksum"):
        download(f"{server.url}#sha256={'0' * 64}", tmp_path, FAST)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Im2TexError, match="--root"):
        download(server.url, tmp_path / "file" / "downloads", FAST)


def test_what_is_a_url():
    assert is_url("https://a.org/b.zip")
    assert not is_url("/data/b.zip")
    assert not is_url("C:\\data\\b.zip")


def test_other_schemes_are_refused(tmp_path):
    with pytest.raises(Im2TexError, match="http"):
        download("ftp://a.org/b.zip", tmp_path, FAST)
