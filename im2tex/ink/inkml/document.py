"""Parses untrusted bytes: size limits, character encodings, repair of broken XML.

Document type declarations are removed before parsing, so no entity is expanded and no other file
is opened; references to unknown entities are kept as text.
"""

from __future__ import annotations

import codecs
import html
import re
import xml.etree.ElementTree as ET
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.files import error_reason, read_regular_file

MAX_BYTES = 8 << 20
"""Size of the largest file: half a million points with a time each."""
_MAX_ELEMENTS = 200_000  # number of `<` or `=`: bounds the memory of elements and attributes
_MAX_DEPTH = 100  # of nested elements: bounds later recursions

HEAD = 1 << 16
"""Bytes of a file in which its root element must begin."""
_INK_TAG = re.compile(r"<(?:[\w.-]+:)?ink[\s/>]")
_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]{1,40})["']""", re.ASCII)
_STARTS = {  # byte order marks, then the first `<` without one
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
    b"<\0\0\0": "utf-32-le",
    b"\0\0\0<": "utf-32-be",
    b"<\0": "utf-16-le",
    b"\0<": "utf-16-be",
}
# Python's encodings that are no character set, or whose decoders take quadratic time.
_NO_CHARACTER_SET = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape")

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITY = re.compile(r"&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6})|[A-Za-z][A-Za-z0-9]{0,40});|&")
# A `<` that does not begin a tag, comment, CDATA section or processing instruction.
_STRAY_LESS_THAN = re.compile(r"<(?![A-Za-z_/!?])")
_ANNOTATION = re.compile(
    r"(<(?:\w+:)?annotation(?:\s[^<>]*)?(?<!/)>)"
    r"([^<]*(?:<(?!/?(?:\w+:)?annotation[\s>])[^<]*)*)"
    r"(</(?:\w+:)?annotation\s*>)"
)
# The internal subset ends at the first `]>`. The rest of a declaration with `]>` in a string is no
# XML, so it is refused.
_DOCTYPE = re.compile(
    r"""<!DOCTYPE(?:[^\[>"']|"[^"]*"|'[^']*'|["'])*+(?:\[.*?(?:\]\s*+>|\Z)|>|\Z)""", re.DOTALL
)


class InkmlError(Im2TexError):
    """An InkML file that cannot be read, or has no strokes.

    Args:
        file: its name.
        reason: what is wrong with it.
    """

    def __init__(self, file: str, reason: str) -> None:
        self.file = file
        self.reason = reason
        super().__init__(f"{file}: {reason}")


def is_inkml(data: bytes) -> bool:
    """Whether a file is InkML, by its first element `ink`, in any encoding.

    Args:
        data: the file, or at least its first 64 KiB.
    """
    head = data[:HEAD]
    try:
        text = head.decode(_check_encoding(_find_encoding(head)), "ignore")
    except (LookupError, ValueError):
        text = head.decode("latin-1")
    text = text.lstrip("\ufeff \t\r\n")
    return text.startswith("<") and _INK_TAG.search(text) is not None


def load_document(source: Path | str | bytes, name: str) -> ET.Element:
    """Parses the `ink` element of a file.

    Args:
        source: a path, or the bytes of the file.
        name: of the file in messages.

    Raises:
        InkmlError: if it cannot be read, is not well-formed XML even after repair, or exceeds a
            limit.
    """
    try:
        data = source if isinstance(source, bytes) else read_regular_file(source, MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise InkmlError(name, f"cannot be read: {error_reason(error)}") from error
    if len(data) > MAX_BYTES:
        raise InkmlError(
            name,
            f"the file is larger than {MAX_BYTES >> 20} MiB: write one formula per file",
        )
    text = _decode(data, name)
    if not text.strip("\0 \t\r\n"):
        raise InkmlError(name, "the file is empty")
    root = _parse(text, name)
    _check_depth(root, name)
    return next((element for element in root.iter() if local_name(element.tag) == "ink"), root)


def local_name(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


def _find_encoding(data: bytes) -> str:
    """The encoding by the byte order mark, by the zeros in the first `<`, or as declared."""
    for start, encoding in _STARTS.items():
        if data.startswith(start):
            return encoding
    declared = _ENCODING.match(data)
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    # The declaration could be read as ASCII, so UTF-16 and UTF-32 cannot be right.
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))
    return "utf-8" if wide else encoding


def _check_encoding(encoding: str) -> str:
    """Returns the encoding.

    Raises:
        LookupError: if it is no character set, or unknown to Python.
    """
    if codecs.lookup(encoding).name.replace("-", "_") in _NO_CHARACTER_SET:
        raise LookupError(encoding)
    return encoding


def _decode(data: bytes, name: str) -> str:
    encoding = _find_encoding(data)
    try:
        text = data.decode(_check_encoding(encoding))
    except UnicodeDecodeError:
        # Wrong declaration or damage: markup and numbers are almost always ASCII.
        text = data.decode("utf-8", "replace")
    except (LookupError, ValueError):
        raise InkmlError(
            name,
            f"it declares the unknown encoding '{encoding}': save the file as UTF-8",
        ) from None
    text = text.lstrip("\ufeff")
    declaration = _XML_DECLARATION.match(text)
    return text[declaration.end() :] if declaration else text


def _parse(text: str, name: str) -> ET.Element:
    if text.count("<") > _MAX_ELEMENTS or text.count("=") > _MAX_ELEMENTS:
        raise InkmlError(
            name, f"it has more than {_MAX_ELEMENTS} elements or attributes: it must be one formula"
        )
    text = _DOCTYPE.sub("", text)
    if "<!DOCTYPE" in text:
        raise InkmlError(name, "it has a document type declaration that cannot be removed")
    problem = ""
    for repair in (str, _escape_stray_markup, _remove_prefixes):
        text = repair(text)
        try:
            # `replace` is for lone surrogates, which would raise another error.
            parser = ET.XMLParser(encoding="utf-8")
            return ET.fromstring(text.encode("utf-8", "replace"), parser)
        except ET.ParseError as error:
            problem = str(error)
        if repair is _escape_stray_markup and "unbound prefix" not in problem:
            break
    raise InkmlError(name, f"not well-formed XML, perhaps cut off ({problem})")


def _remove_prefixes(text: str) -> str:
    """Removes namespace prefixes of elements and attributes."""
    text = re.sub(r"(</?)(?!xml:)[\w.-]+:", r"\1", text)
    return re.sub(r"\s(?!xml:|xmlns)[\w.-]+:([\w.-]+\s*=)", r" \1", text)


def _escape_stray_markup(text: str) -> str:
    """Escapes `&` and `<` that are no markup and unknown entities; removes invalid characters."""
    text = _INVALID.sub("", text)
    text = _ENTITY.sub(_escape_entity, text)
    text = _ANNOTATION.sub(_escape_annotation, text)
    return _STRAY_LESS_THAN.sub("&lt;", text)


def _escape_annotation(match: re.Match[str]) -> str:
    """Escapes every `<` in an annotation, which contains only text, such as `$a<b$`."""
    content = match[2]
    if "<![CDATA[" not in content and "<!--" not in content:
        content = content.replace("<", "&lt;")
    return match[1] + content + match[3]


def _escape_entity(match: re.Match[str]) -> str:
    """Replaces HTML's entities by their characters, and escapes other ampersands."""
    reference = match[0]
    if reference in ("&amp;", "&lt;", "&gt;", "&quot;", "&apos;"):
        return reference
    character = html.unescape(reference)
    if character == reference:
        return "&amp;" + reference[1:]
    return html.escape(_INVALID.sub("\ufffd", character))


def _check_depth(root: ET.Element, name: str) -> None:
    level = [root]
    for _ in range(_MAX_DEPTH):
        level = [child for element in level for child in element]
        if not level:
            return
    raise InkmlError(name, f"its elements are nested more than {_MAX_DEPTH} deep")
