"""Downloads of raw data over HTTP; a file is stored only when all of it has arrived."""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from pathlib import Path

import requests

from im2tex.errors import Im2TexError
from im2tex.utils.files import atomic_write
from im2tex.utils.progress import progress_bar

_CHUNK = 1 << 18  # bytes
_TIMEOUT_S = 30
_BROWSER = "download the file with a browser and pass its path to --from"


def is_url(raw_data: str) -> bool:
    """Returns whether `raw_data` is a URL rather than a path."""
    return re.match(r"(?i)[a-z][a-z0-9+.-]*://", raw_data) is not None


def download(url: str, folder: Path) -> Path:
    """Downloads a file, unless `folder` has it already.

    Args:
        url: an http or https address; a suffix `#sha256=HEX` gives the expected checksum.
        folder: where the file is stored; created if missing.

    Returns:
        The path of the complete file.

    Raises:
        Im2TexError: if the server does not send the complete file, the checksum differs, or the
            folder cannot be written. No file is stored then.
    """
    address, _, fragment = url.partition("#")
    expected = fragment.removeprefix("sha256=").lower() if fragment.startswith("sha256=") else None
    # The address is part of the name, because many servers call every file "download".
    last = urllib.parse.unquote(address.partition("?")[0]).rpartition("/")[2]
    stem = re.sub(r"[^A-Za-z0-9._-]+", "_", last)[-80:] or "file"
    target = folder / f"{hashlib.sha256(address.encode()).hexdigest()[:8]}-{stem}"
    try:
        if target.exists() and expected in (None, _file_sha256(target)):
            return target
        with (
            requests.get(
                address, stream=True, timeout=_TIMEOUT_S, headers={"Accept-Encoding": "identity"}
            ) as response,
            atomic_write(target) as part,
        ):
            _check_answer(response, address)
            digest = _save(response, part)
            if expected not in (None, digest):
                raise Im2TexError(
                    f"{address} has the checksum {digest}, expected {expected}. Check the address "
                    "and the checksum."
                )
    except (requests.RequestException, ValueError) as error:
        reason = " ".join(str(error).split()).rpartition(": ")[2].strip("\"')")
        raise Im2TexError(
            f"{address} cannot be downloaded: {reason or type(error).__name__}. Run the command "
            f"again later, or {_BROWSER}."
        ) from error
    except OSError as error:
        raise Im2TexError(
            f"cannot write the download to {folder}: {error.strerror or error}. Choose another "
            "folder with --root, or free space there."
        ) from error
    return target


def _check_answer(response: requests.Response, address: str) -> None:
    if response.status_code != requests.codes.ok:
        raise Im2TexError(
            f"{address}: the server answers {response.status_code} {response.reason or ''}. Check "
            f"the address, or {_BROWSER}."
        )
    if response.headers.get("Content-Type", "").lower().startswith(("text/html", "application/xh")):
        raise Im2TexError(
            f"{address} is a web page, not a file, perhaps for a login or a licence: {_BROWSER}."
        )


def _save(response: requests.Response, path: Path) -> str:
    """Writes the body to a file and returns its SHA-256 checksum in hex."""
    length = response.headers.get("Content-Length", "")
    digest = hashlib.sha256()
    with (
        path.open("wb") as file,
        progress_bar(
            "downloading", int(length) if length.isdecimal() else None, in_bytes=True
        ) as shown,
    ):
        for chunk in response.iter_content(_CHUNK):
            file.write(chunk)
            digest.update(chunk)
            shown.advance(len(chunk))
        if not file.tell():
            raise Im2TexError(f"{response.url}: the server sends an empty file; {_BROWSER}.")
    return digest.hexdigest()


def _file_sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
