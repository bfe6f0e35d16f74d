"""Files from the web, fetched with `requests`: whole, or not at all.

A download goes to a temporary name and takes its place once all of it has come, as the server's
own length (or the end mark of a chunked body) tells. One that breaks off begins again: nothing is
put together from two answers.
"""

from __future__ import annotations

import hashlib
import re
import time
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import requests
import urllib3

from im2tex.errors import Im2TexError
from im2tex.utils.files import atomic_write
from im2tex.utils.progress import progress_bar

LARGEST = 64 << 30
"""Bytes of the largest file that is downloaded."""

_CHUNK = 1 << 18
_LATER = (408, 425, 429, 500, 502, 503, 504)
_REDIRECTS = 10
_BROWSER = "download the file with a browser and give its path to --from"
_NETWORK = (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a download is.

    Attributes:
        attempts: downloads in all, each from the beginning.
        pause: seconds before the second one; doubled each time.
        timeout: seconds without an answer, or with less than `least` bytes, that count as broken
            off.
        least: bytes that must come in `timeout` seconds.
    """

    attempts: int = 4
    pause: float = 1.0
    timeout: float = 30.0
    least: int = 1 << 14


class _BrokenOffError(Exception):
    """The connection ended early, or never began; another attempt may do better."""


def is_url(origin: str) -> bool:
    """Whether an origin is an address on the web rather than a path."""
    return re.match(r"(?i)[a-z][a-z0-9+.-]*://", origin) is not None


def download(url: str, folder: Path, retry: Retry | None = None, largest: int = LARGEST) -> Path:
    """Downloads a file, or finds it downloaded already.

    Args:
        url: its address; with `#sha256=HEX` at the end its content must have that checksum.
        folder: where it goes; made if need be.
        retry: how patient to be.
        largest: bytes that it may have.

    Returns:
        The path of the complete file.

    Raises:
        Im2TexError: if the address is none of http or https, does not answer, answers with
            something else than a file, ends early, does not tell its length, is too large, has
            another checksum than said, or the folder cannot be written. Nothing is kept then.
    """
    address, _, fragment = url.partition("#")
    _check_scheme(address, url)
    # The address is part of the name: many servers call every file "download".
    last = urllib.parse.unquote(urllib.parse.urlsplit(address).path).rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", last)[-80:] or "file"
    target = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:8]}-{stem}"
    wanted = fragment.removeprefix("sha256=").lower() if fragment.startswith("sha256=") else None
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists() or (wanted is not None and _sha256(target) != wanted):
            target.unlink(missing_ok=True)
            _fetch(address, target, wanted, retry or Retry(), largest)
    except OSError as error:
        raise Im2TexError(
            f"cannot write the download to {folder}: {error.strerror or error}. Choose another "
            "folder with --root, or make room there."
        ) from error
    return target


def _fetch(address: str, target: Path, wanted: str | None, retry: Retry, largest: int) -> None:
    """Downloads with as many attempts as there are.

    Raises:
        Im2TexError: see `download`.
    """
    for attempt in range(1, retry.attempts + 1):
        try:
            with atomic_write(target) as part:
                _attempt(address, part, wanted, retry, largest)
            return
        except _BrokenOffError as error:
            if attempt == retry.attempts:
                raise Im2TexError(
                    f"{address}: {error}, {attempt} times. Nothing was kept: run the command "
                    f"again later, or {_BROWSER}."
                ) from error
        time.sleep(retry.pause * 2 ** (attempt - 1))


def _attempt(address: str, part: Path, wanted: str | None, retry: Retry, largest: int) -> None:
    with requests.Session() as session, _answer(session, address, retry) as response:
        size = _expected(response, address, wanted, largest)
        digest = hashlib.sha256()
        arrived = 0
        with part.open("wb") as file, progress_bar("downloading", size, in_bytes=True) as shown:
            for chunk in _chunks(response, retry):
                arrived += len(chunk)
                if arrived > largest:
                    raise Im2TexError(_too_large(address, largest))
                file.write(chunk)
                digest.update(chunk)
                shown.advance(len(chunk))
    if size is not None and arrived != size:
        raise _BrokenOffError(f"the connection ended at {arrived} of {size} bytes")
    if not arrived:
        raise Im2TexError(f"{address}: the server sends an empty file. Check the address.")
    if wanted is not None and digest.hexdigest() != wanted:
        raise Im2TexError(
            f"{address} has the checksum {digest.hexdigest()}, not {wanted}. It was deleted; "
            "download it again, or check the address."
        )


def _answer(session: requests.Session, address: str, retry: Retry) -> requests.Response:
    """The answer with the file in it, redirections followed.

    Raises:
        Im2TexError: if there is none.
        _BrokenOffError: if there may be one later.
    """
    here = address
    for _ in range(_REDIRECTS):
        headers = {"User-Agent": "im2tex", "Accept-Encoding": "identity"}
        try:
            # Not `session.get`, which reads the body of a redirection whole, however long it is.
            request = session.prepare_request(requests.Request("GET", here, headers))
            settings = session.merge_environment_settings(here, {}, True, None, None)
            response = session.get_adapter(here).send(
                request, timeout=retry.timeout, **{**settings, "stream": True}
            )
            requests.cookies.extract_cookies_to_jar(session.cookies, request, response.raw)
        except (requests.ConnectionError, requests.Timeout) as error:
            raise _BrokenOffError(f"no answer ({_reason(error)})") from error
        except (*_NETWORK, ValueError) as error:
            raise Im2TexError(f"{address} cannot be asked for: {_reason(error)}.") from error
        if not response.is_redirect:
            return response
        response.close()
        try:
            here = urllib.parse.urljoin(here, response.headers["location"])
        except ValueError:
            here = response.headers["location"]
        _check_scheme(here, address, f" (it leads to {here[:200]!r})")
    raise Im2TexError(f"{address} leads from one address to the next, {_REDIRECTS} times.")


def _expected(
    response: requests.Response, address: str, wanted: str | None, largest: int
) -> int | None:
    """How many bytes will come; None where the body says itself where it ends.

    Raises:
        Im2TexError: if what will come is no file that can be known to be whole.
        _BrokenOffError: if there may be one later.
    """
    status = f"{response.status_code} {response.reason or ''}".rstrip()
    if response.status_code in _LATER:
        raise _BrokenOffError(f"the server answers {status}")
    if response.status_code != requests.codes.ok:
        raise Im2TexError(
            f"{address}: the server answers {status}. Check the address, or {_BROWSER}."
        )
    kind = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if kind in ("text/html", "application/xhtml+xml"):
        raise Im2TexError(
            f"{address} gives a web page, not a file: perhaps a page to log in or to accept a "
            f"licence on. Then {_BROWSER}."
        )
    length = response.headers.get("Content-Length", "").strip()
    if "chunked" in response.headers.get("Transfer-Encoding", "").lower():
        return None
    if re.fullmatch(r"[0-9]{1,18}", length):
        if int(length) > largest:
            raise Im2TexError(_too_large(address, largest))
        return int(length)
    if wanted is not None:
        return None
    raise Im2TexError(
        f"{address}: the server says {repr(length[:50]) if length else 'nothing'} of the file's "
        "length, so half of it would look like all. Add #sha256= and its checksum to the "
        f"address, or {_BROWSER}."
    )


def _chunks(response: requests.Response, retry: Retry) -> Iterator[bytes]:
    """The body as it arrives; what breaks here is the network, not the disk."""
    since, came = time.monotonic(), 0
    while True:
        try:
            chunk: bytes = response.raw.read1(_CHUNK, decode_content=False)
        except (*_NETWORK, ValueError) as error:
            raise _BrokenOffError(f"the connection broke ({_reason(error)})") from error
        if not chunk:
            return
        yield chunk
        came += len(chunk)
        if (now := time.monotonic()) - since >= retry.timeout:
            if came < retry.least:
                raise _BrokenOffError(f"{came} bytes came in {now - since:.0f} seconds")
            since, came = now, 0


def _check_scheme(address: str, given: str, more: str = "") -> None:
    try:
        parts = urllib.parse.urlsplit(address)
        valid = parts.scheme.lower() in ("http", "https") and bool(parts.hostname)
    except ValueError:
        valid = False
    if not valid:
        raise Im2TexError(f"{given}: only http and https addresses can be downloaded{more}.")


def _too_large(address: str, largest: int) -> str:
    return f"{address} is larger than {largest} bytes, the most that is downloaded."


def _reason(error: Exception) -> str:
    """What went wrong: the innermost cause of those that the library's message nests."""
    text = " ".join(str(error).split()).rpartition(": ")[2].strip("\"')")
    return text[:200] or type(error).__name__


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
