"""Files from the web: resumed where they broke off, and checked before anyone reads them.

A download grows as `NAME.part` beside `NAME.part.json`, which remembers the server's mark (ETag or
date) and the full size. The next attempt asks for the rest under the condition that the file on
the server is still the same one (RFC 9110, If-Range).
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any

from im2tex.data.progress import bar
from im2tex.errors import Im2TexError

_CHUNK = 1 << 18
_LATER = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a download is.

    Attributes:
        attempts: requests in all, each going on where the last one broke off.
        pause: seconds before the second one; doubled each time.
        timeout: seconds without a byte that count as broken off.
    """

    attempts: int = 4
    pause: float = 1.0
    timeout: float = 30.0


class _BrokenOffError(Exception):
    """The connection ended early; the next attempt goes on from there."""


def is_url(origin: str) -> bool:
    """Whether an origin is an address on the web rather than a path."""
    return re.match(r"(?i)[a-z][a-z0-9+.-]*://", origin) is not None


def download(url: str, folder: Path, retry: Retry | None = None) -> Path:
    """Downloads a file, or finds it downloaded already.

    Args:
        url: its address; with `#sha256=HEX` at the end its content must have that checksum.
        folder: where it goes; made if need be.
        retry: how patient to be.

    Returns:
        The path of the complete file.

    Raises:
        Im2TexError: if the address does not answer, answers with a web page, ends early, has
            another checksum than said, or the folder cannot be written. What has arrived is kept
            for the next attempt.
    """
    retry = retry or Retry()
    address, _, fragment = url.partition("#")
    parts = urllib.parse.urlsplit(address)
    if parts.scheme.lower() not in ("http", "https"):
        raise Im2TexError(f"{url}: only http and https addresses can be downloaded.")
    # The address is part of the name: many servers call every file "download".
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", Path(urllib.parse.unquote(parts.path)).name)
    target = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:8]}-{stem[-80:] or 'file'}"
    wanted = fragment.removeprefix("sha256=").lower() if fragment.startswith("sha256=") else None
    transfer = _Transfer(address, target, retry)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            transfer.run()
        if wanted is not None and (found := _sha256(target)) != wanted:
            target.unlink()
            raise Im2TexError(
                f"{address} has the checksum {found}, not {wanted}. It was deleted; download it "
                "again, or check the address."
            )
    except OSError as error:
        raise Im2TexError(
            f"cannot write the download to {folder}: {error.strerror or error}. Choose another "
            "folder with --root, or make room there."
        ) from error
    return target


class _Transfer:
    """One file on its way.

    Args:
        address: the URL without its fragment.
        target: the complete file's path.
        retry: how patient to be.
    """

    def __init__(self, address: str, target: Path, retry: Retry) -> None:
        self.address = address
        self.target = target
        self.part = target.with_name(f"{target.name}.part")
        self.about = target.with_name(f"{target.name}.part.json")
        self.retry = retry

    def run(self) -> None:
        for attempt in range(1, self.retry.attempts + 1):
            try:
                self._attempt()
                break
            except _BrokenOffError as error:
                if attempt == self.retry.attempts:
                    have = self.part.stat().st_size if self.part.exists() else 0
                    raise Im2TexError(
                        f"{self.address}: {error}, {attempt} times. {have} bytes have arrived and "
                        "are kept: run the command again to go on from there."
                    ) from error
                time.sleep(self.retry.pause * 2 ** (attempt - 1))
        self.part.replace(self.target)
        self.about.unlink(missing_ok=True)

    def _attempt(self) -> None:
        known = self._known()
        have = self.part.stat().st_size if self.part.exists() and known else 0
        headers = {"User-Agent": "im2tex", "Accept-Encoding": "identity"}
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(known["mark"])}
        request = urllib.request.Request(self.address, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=self.retry.timeout) as response:
                self._receive(response, have)
        except urllib.error.HTTPError as error:
            self._refused(error, have, known)
        except urllib.error.URLError as error:
            raise _BrokenOffError(f"no answer ({error.reason})") from error
        except (TimeoutError, ConnectionError, http.client.HTTPException) as error:
            raise _BrokenOffError(f"the connection broke ({error})") from error

    def _refused(self, error: urllib.error.HTTPError, have: int, known: dict[str, Any]) -> None:
        if error.code == 416 and have and have == known.get("size"):
            return  # nothing is left to send: the last attempt ended just before the renaming
        if error.code == 416 and have:
            self.part.unlink()
            raise _BrokenOffError("the file on the server is another one now") from error
        if error.code in _LATER:
            raise _BrokenOffError(f"the server answers {error.code} {error.reason}") from error
        raise Im2TexError(
            f"{self.address}: the server answers {error.code} {error.reason}. Check the address, "
            "or download the file with a browser and give its path to --from."
        ) from error

    def _receive(self, response: Any, have: int) -> None:
        headers: Message = response.headers
        if headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise Im2TexError(
                f"{self.address} gives a web page, not a file: perhaps a page to log in or to "
                "accept a licence on. Download the file with a browser and give its path to --from."
            )
        length = int(headers["Content-Length"]) if headers["Content-Length"] else None
        span = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
        if response.status != 206:
            have = 0  # the server sends all of it, whatever was asked
        elif span is None or int(span[1]) != have:
            self.part.unlink()
            raise _BrokenOffError("the server sends another part than asked for")
        size = None if length is None else have + length
        mark = headers["ETag"] or headers["Last-Modified"]
        if mark and not mark.startswith("W/"):
            self.about.write_text(json.dumps({"mark": mark, "size": size}))
        else:
            self.about.unlink(missing_ok=True)
        with (
            self.part.open("ab" if have else "wb") as file,
            bar(self.target.name, size, done=have, in_bytes=True) as shown,
        ):
            arrived = have
            while chunk := _reading(response.read):
                file.write(chunk)
                arrived += len(chunk)
                shown.advance(len(chunk))
        if size is not None and arrived != size:
            raise _BrokenOffError(f"the connection ended at {arrived} of {size} bytes")

    def _known(self) -> dict[str, Any]:
        """What is remembered of the file on the server; nothing means start again."""
        try:
            about = json.loads(self.about.read_text())
        except (OSError, ValueError):
            return {}
        return about if isinstance(about, dict) and about.get("mark") else {}


def _reading(read: Callable[[int], bytes]) -> bytes:
    """Reads a chunk; what breaks here is the network, not the disk."""
    try:
        return read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenOffError(f"the connection broke ({error})") from error


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
