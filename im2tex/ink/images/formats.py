"""The image formats that are opened, and advice on files in other formats.

Some of Pillow's formats start programs (PostScript: Ghostscript) or use the system's decoders
(Windows metafiles). Pillow is therefore restricted to the raster formats listed here.
"""

from __future__ import annotations

import importlib
from contextlib import suppress
from functools import cache

from PIL import Image

_FORMATS = "PNG JPEG MPO WEBP GIF TIFF BMP DIB PPM PCX JPEG2000 AVIF".split()  # noqa: SIM905
_HEIF = "HEIF"  # of the package pillow-heif

_HEIC_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1", b"heif")
_OTHER_FORMATS = {
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
    """Pillow's names of the formats that may be opened on this system."""
    with suppress(ImportError, OSError):
        importlib.import_module("pillow_heif").register_heif_opener()
    Image.init()
    return tuple(name for name in (*_FORMATS, _HEIF) if name in Image.OPEN)


def unreadable_advice(data: bytes) -> str:
    """Returns why Pillow cannot identify a file, and what to do.

    Args:
        data: the file's contents.
    """
    brand = data[8:12] if data[4:8] == b"ftyp" else b""
    if brand in _HEIC_BRANDS and _HEIF not in readable_formats():
        return (
            "it is a HEIC photograph. Install pillow-heif (pip install pillow-heif), or export "
            "it as JPEG or PNG."
        )
    if brand in _HEIC_BRANDS:
        return "it is a damaged HEIC file. Export it as JPEG or PNG."
    if brand in (b"avif", b"avis"):
        return "it is a damaged AVIF file, or Pillow lacks AVIF. Export it as JPEG or PNG."
    if damaged := _match(data, _DAMAGED):
        return f"it is a damaged {damaged} file. Copy or save it again."
    other = _match(data, _OTHER_FORMATS)
    return (
        "it is in no format such as PNG, JPEG or TIFF"
        + (f"; it looks like {other}" if other else "")
        + ". Save or export it as PNG or JPEG first."
    )


def _match(data: bytes, names: dict[bytes, str]) -> str | None:
    return next((name for magic, name in names.items() if data.startswith(magic)), None)
