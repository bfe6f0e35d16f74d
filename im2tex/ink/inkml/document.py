"""Untrusted bytes to the `ink` element: size limits, character encoding, repair of broken XML.

Document type declarations are removed before parsing, so no entity is ever expanded and no other
file is ever opened; a reference to an entity that is not one of HTML's stays as text.
"""

from __future__ import annotations

import codecs
import html
import re
import stat
import xml.etree.ElementTree as ET
from pathlib import Path

from im2tex.ink.inkml.errors import InkmlError

MAX_BYTES = 8 << 20
"""Largest file read: half a million points with a time each."""
_MAX_ELEMENTS = 200_000  # `<` or `=` in a file: bounds the memory of elements and attributes
_MAX_DEPTH = 100  # elements inside one another: bounds the recursion of every later step

HEAD = 1 << 16
"""Bytes of a file in which its root element must begin to be recognised."""
_INK_TAG = re.compile(r"<(?:[\w.-]+:)?ink[\s/>]")
_XML_DECLARATION = re.compile(r"\s*<\?xml[^>]*\?>")
_ENCODING = re.compile(rb"""\s*<\?xml[^>]*?\sencoding\s*=\s*["']([\w.-]{1,40})["']""", re.ASCII)
_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WITHOUT_BOM = (
    (b"<\0\0\0", "utf-32-le"),
    (b"\0\0\0<", "utf-32-be"),
    (b"<\0", "utf-16-le"),
    (b"\0<", "utf-16-be"),
)
# Python's encodings that are no character set of a file, or whose decoders take quadratic time.
_NO_CHARACTER_SET = ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape")

_INVALID = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_ENTITY = re.compile(r"&(?:#(?:[0-9]{1,7}|[xX][0-9a-fA-F]{1,6})|[A-Za-z][A-Za-z0-9]{0,40});|&")
# A `<` that begins no tag, comment, CDATA section or processing instruction.
_STRAY_LESS_THAN = re.compile(r"<(?![A-Za-z_/!?])")
_ANNOTATION = re.compile(
    r"(<(?:\w+:)?annotation(?:\s[^<>]*)?(?<!/)>)"
    r"([^<]*(?:<(?!/?(?:\w+:)?annotation[\s>])[^<]*)*)"
    r"(</(?:\w+:)?annotation\s*>)"
)
_SECTION = re.compile(r"<!--|<!\[CDATA\[|<!DOCTYPE")
_IN_DOCTYPE = re.compile(r"<!--|[\"'\[\]>]")


def is_inkml(data: bytes) -> bool:
    """Whether a file's content is InkML: its first element is `ink`, in any encoding.

    Args:
        data: the file, or at least its first 64 KiB.
    """
    head = data[:HEAD]
    try:
        text = head.decode(_known(_encoding(head)), "ignore")
    except (LookupError, ValueError):
        text = head.decode("latin-1")
    text = text.lstrip("\ufeff \t\r\n")
    return text.startswith("<") and _INK_TAG.search(text) is not None


def load(source: Path | str | bytes, name: str) -> ET.Element:
    """The `ink` element of a file.

    Args:
        source: a path, or the bytes of the file.
        name: what to call it in messages.

    Raises:
        InkmlError: if it cannot be read, is no well-formed XML even after repair, or is beyond a
            limit.
    """
    data = source if isinstance(source, bytes) else _read(Path(source), name)
    if len(data) > MAX_BYTES:
        raise InkmlError(
            name,
            f"the file is larger than {MAX_BYTES >> 20} MiB, which no formula's ink is: "
            "give one formula a file",
        )
    text = _decoded(data, name)
    if not text.strip("\0 \t\r\n"):
        raise InkmlError(name, "the file is empty")
    root = _parse(text, name)
    _check_depth(root, name)
    if local(root.tag) == "ink":
        return root
    return next((element for element in root.iter() if local(element.tag) == "ink"), root)


def local(tag: str) -> str:
    """An element's name without its namespace."""
    return tag.rpartition("}")[2]


def _read(path: Path, name: str) -> bytes:
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InkmlError(name, "it is not a regular file, so it is not read")
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1)
    except OSError as error:
        raise InkmlError(name, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a NUL in the path
        raise InkmlError(name, f"cannot be read: {error}") from error


def _encoding(data: bytes) -> str:
    """The encoding by the byte order mark, by the zeros of its first `<`, or as declared."""
    for mark, encoding in _BOMS:
        if data.startswith(mark):
            return encoding
    for start, encoding in _WITHOUT_BOM:
        if data.startswith(start):
            return encoding
    declared = _ENCODING.match(data)
    encoding = declared[1].decode("ascii") if declared else "utf-8"
    # The declaration could be read as ASCII, so UTF-16 and UTF-32 cannot be right.
    wide = encoding.lower().replace("_", "-").startswith(("utf-16", "utf-32", "utf16", "utf32"))
    return "utf-8" if wide else encoding


def _known(encoding: str) -> str:
    """The encoding, if it is a character set.

    Raises:
        LookupError: if it is none that Python knows.
    """
    if codecs.lookup(encoding).name.replace("-", "_") in _NO_CHARACTER_SET:
        raise LookupError(encoding)
    return encoding


def _decoded(data: bytes, name: str) -> str:
    encoding = _encoding(data)
    try:
        text = data.decode(_known(encoding))
    except UnicodeDecodeError:
        # Mislabelled or damaged: the markup and the numbers are ASCII nearly always.
        text = data.decode("utf-8", "replace")
    except (LookupError, ValueError):
        raise InkmlError(
            name,
            f"it declares the encoding '{encoding}', which is not known: save the file as UTF-8",
        ) from None
    text = text.lstrip("\ufeff")
    declaration = _XML_DECLARATION.match(text)
    return text[declaration.end() :] if declaration else text


def _parse(text: str, name: str) -> ET.Element:
    if text.count("<") > _MAX_ELEMENTS or text.count("=") > _MAX_ELEMENTS:
        raise InkmlError(
            name, f"it has more than {_MAX_ELEMENTS} elements or attributes: that is no formula"
        )
    text = _without_doctype(text)
    try:
        return _elements(text)
    except ET.ParseError:
        text = _escaped(text)
    try:
        return _elements(text)
    except ET.ParseError as error:
        problem = str(error)
    if "unbound prefix" in problem:
        text = re.sub(r"(</?)(?!xml:)[\w.-]+:", r"\1", text)
        text = re.sub(r"\s(?!xml:|xmlns)[\w.-]+:([\w.-]+\s*=)", r" \1", text)
        try:
            return _elements(text)
        except ET.ParseError as error:
            problem = str(error)
    raise InkmlError(name, f"not well-formed XML, perhaps cut off ({problem})")


def _elements(text: str) -> ET.Element:
    # Bytes in a given encoding: a lone surrogate would otherwise be an error of another kind.
    parser = ET.XMLParser(encoding="utf-8")
    return ET.fromstring(text.encode("utf-8", "replace"), parser)


def _without_doctype(text: str) -> str:
    """The text without its document type declaration, the internal subset included."""
    at = 0
    while (section := _SECTION.search(text, at)) and section[0] != "<!DOCTYPE":
        at = text.find("-->" if section[0] == "<!--" else "]]>", section.end())
        if at < 0:
            return text
    if section is None:
        return text
    start, at = section.span()
    quote, brackets = "", 0
    while mark := _IN_DOCTYPE.search(text, at):
        at = mark.end()
        if quote:
            quote = "" if mark[0] == quote else quote
        elif mark[0] == "<!--":
            at = text.find("-->", at)
            if at < 0:
                break
        elif mark[0] in "\"'":
            quote = mark[0]
        elif mark[0] in "[]":
            brackets += 1 if mark[0] == "[" else -1
        elif brackets <= 0:
            return text[:start] + text[at:]
    return text[:start]


def _escaped(text: str) -> str:
    """Stray `&` and `<`, unknown entities and invalid characters as text."""
    text = _INVALID.sub("", text)
    text = _ENTITY.sub(_entity, text)
    text = _ANNOTATION.sub(_annotation, text)
    return _STRAY_LESS_THAN.sub("&lt;", text)


def _annotation(match: re.Match[str]) -> str:
    """An annotation holds text alone, so each `<` in it is meant as one: `$a<b$`."""
    content = match[2]
    if "<![CDATA[" not in content and "<!--" not in content:
        content = content.replace("<", "&lt;")
    return match[1] + content + match[3]


def _entity(match: re.Match[str]) -> str:
    """HTML's entities as characters, any other ampersand as itself."""
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
