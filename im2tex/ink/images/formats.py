"""The picture formats that are opened, and the names of others that people try.

Pillow knows formats that start programs (PostScript: Ghostscript) or that hand the file to the
system (Windows metafiles). They are never offered to it: only the raster formats listed here are.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from functools import cache

from PIL import Image

_LISTED = (
    "PNG",
    "JPEG",
    "MPO",
    "WEBP",
    "GIF",
    "TIFF",
    "BMP",
    "DIB",
    "PPM",
    "PCX",
    "JPEG2000",
    "AVIF",
)
_HEIF = "HEIF"  # of the package pillow-heif

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
_STARTS = {
    b"%PDF": "a PDF",
    b"%!PS": "PostScript",
    b"\xc5\xd0\xd3\xc6": "PostScript",
    b"\x01\x00\x00\x00": "a Windows metafile",
    b"\xd7\xcd\xc6\x9a": "a Windows metafile",
    b"8BPS": "a Photoshop file",
    b"\xff\x0a": "JPEG XL",
    b"\x00\x00\x00\x0cJXL ": "JPEG XL",
    b"<svg": "SVG",
    b"<?xml": "XML, such as SVG or InkML",
    b"<ink": "InkML",
    b"PK\x03\x04": "a ZIP archive",
}
_DAMAGED = {
    b"\x89PNG": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF8": "GIF",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}


@cache
def readable_formats() -> tuple[str, ...]:
    """Names, as Pillow has them, of the formats that may be opened on this system."""
    with suppress(ImportError, OSError):
        importlib.import_module("pillow_heif").register_heif_opener()
    Image.init()
    return tuple(name for name in (*_LISTED, _HEIF) if name in Image.OPEN)


def unreadable_advice(data: bytes) -> str:
    """Why a file in none of the formats cannot be read, and what to do about it.

    Args:
        data: its content.
    """
    if data[4:8] == b"ftyp" and data[8:12] in _HEIC_BRANDS:
        if _HEIF in readable_formats():
            return "it is a damaged HEIC file. Export it as JPEG or PNG."
        return (
            "it is a HEIC photograph. Install pillow-heif (pip install pillow-heif), or export "
            "it as JPEG or PNG."
        )
    if data[4:8] == b"ftyp" and data[8:12] in (b"avif", b"avis"):
        return "it is a damaged AVIF file, or Pillow lacks AVIF. Export it as JPEG or PNG."
    damaged = next((name for start, name in _DAMAGED.items() if data.startswith(start)), None)
    if damaged:
        return f"it is a damaged {damaged} file. Copy or save it again."
    looks = next((name for start, name in _STARTS.items() if data.startswith(start)), None)
    return (
        "it is in no format such as PNG, JPEG or TIFF"
        + (f"; it looks like {looks}" if looks else "")
        + ". Save or export it as PNG or JPEG first."
    )
