"""Untrusted bytes: encodings, document types, broken XML, sizes."""

import os

import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.inkml import InkmlError, document, is_inkml, read_inkml

BODY = "<ink><annotation type='truth'>é</annotation><trace>1 2, 3 4</trace></ink>"
DECLARED = '<?xml version="1.0" encoding="{}"?>'


@pytest.mark.parametrize(
    ("declared", "actual"),
    [
        (None, "utf-8"),
        (None, "utf-8-sig"),
        (None, "utf-16"),
        (None, "utf-32"),
        ("UTF-16", "utf-16-le"),
        ("UTF-16", "utf-16-be"),
        ("UTF-32", "utf-32-le"),
        ("UTF-32", "utf-32-be"),
        ("utf-8", "utf-16"),
        ("UTF-16", "utf-8"),
        ("iso-8859-1", "latin-1"),
        ("Windows-1252", "cp1252"),
        ("macintosh", "mac_roman"),
    ],
)
def test_encodings_are_read(declared, actual):
    text = (DECLARED.format(declared) if declared else "") + BODY
    data = text.encode(actual)
    assert is_inkml(data)
    read = read_inkml(data)
    assert read.latex == "é"
    assert read.ink.strokes[0].tolist() == [[1, 2], [3, 4]]


def test_encoding_of_several_bytes_a_character_is_read():
    text = DECLARED.format("shift_jis") + BODY.replace("é", "数")
    assert read_inkml(text.encode("shift_jis")).latex == "数"


@pytest.mark.parametrize(
    "encoding", ["nonsense-5", "zlib", "hex", "rot13", "idna", "punycode", "undefined", "."]
)
def test_unknown_encoding_is_an_error(encoding):
    data = (DECLARED.format(encoding) + BODY).encode()
    with pytest.raises(InkmlError, match=rf"a\.inkml.*'{encoding}'.*UTF-8"):
        read_inkml(data, "a.inkml")


@pytest.mark.parametrize("declared", ["utf-8", "ascii", "shift_jis", "utf-7"])
def test_mislabelled_encoding_gives_the_strokes(declared):
    data = (DECLARED.format(declared) + BODY).encode("latin-1")
    read = read_inkml(data)
    assert len(read.ink.strokes) == 1
    assert read.notes == ("its label has characters that are not of the file's encoding",)


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ("$a < b$", "$a < b$"),
        ("$a<b$", "$a<b$"),
        ("$a<b<c$", "$a<b<c$"),
        ("$1<<x$", "$1<<x$"),
        ("$a & b$", "$a & b$"),
        ("a&b\\\\c&d<e", "a&b\\\\c&d<e"),
        ("a &lt; b < c", "a < b < c"),
        ("a &amp; b & c", "a & b & c"),
        ("a&times b", "a&times b"),
        ("&alpha;<&beta;", "\u03b1<\u03b2"),
        ("x > y < z", "x > y < z"),
        ("&#0;a", "\ufffda"),
        ("<![CDATA[a<b&c]]>", "a<b&c"),
    ],
)
@pytest.mark.parametrize("prefix", ["", "i:"])
def test_unescaped_characters_of_the_truth_are_read(truth, expected, prefix):
    data = (
        f'<{prefix}ink xmlns:i="http://www.w3.org/2003/InkML">'
        f'<{prefix}annotation type="truth">{truth}</{prefix}annotation>'
        f'<{prefix}annotation type="UI"/><{prefix}trace>1 2</{prefix}trace></{prefix}ink>'
    )
    assert read_inkml(data.encode()).latex == expected


def test_unescaped_less_than_of_the_mathml_is_read():
    data = (
        b"<ink><annotationXML type='truth'><math><mi>a</mi><mo><</mo><mi>b</mi></math>"
        b"</annotationXML><trace>1 2</trace></ink>"
    )
    math = read_inkml(data).math
    assert math is not None
    assert [child.text for child in math] == ["a", "<", "b"]


@pytest.mark.parametrize(
    "data",
    [
        b'<ink xmlns:a="u"><a:trace>1 2</a:trace><trace>7 8</trace></ink>',
        b'<a:ink xmlns:a="u" xmlns:b="v"><b:trace>1 2</b:trace><a:trace>7 8</a:trace></a:ink>',
        b"<a1:ink><b-2:trace>1 2</b-2:trace><trace>7 8</trace></a1:ink>",
        b"<doc><ink><trace>1 2</trace><trace>7 8</trace></ink></doc>",
    ],
)
def test_prefixes_may_be_mixed(data):
    assert [stroke.tolist() for stroke in read_inkml(data).ink.strokes] == [[[1, 2]], [[7, 8]]]


def entities(count):
    lines = "".join(f'<!ENTITY e{i + 1} "{f"&e{i};" * 10}">' for i in range(count))
    return f'<!DOCTYPE ink [<!ENTITY e0 "1 2,">{lines}]>'


@pytest.mark.parametrize(
    "before",
    ["", "<!-- <ink > -->", "<?xml version='1.0'?>\n<!-- ]> ' -->", "<![CDATA[ <ink> ]]>"],
)
def test_entities_of_a_document_type_are_never_expanded(before):
    data = f"{before}{entities(9)}<ink><trace>&e9;3 4</trace></ink>".encode()
    with pytest.raises(InkmlError):
        read_inkml(data)


def test_external_entities_are_never_opened(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("5 6")
    for kind in ("SYSTEM", 'PUBLIC "p"'):
        data = (
            f'<!DOCTYPE ink [<!ENTITY s {kind} "{secret.as_uri()}"> <!-- ">]" -->]>'
            "<ink><annotation type='truth'>&s;</annotation><trace>1 2</trace></ink>"
        )
        assert read_inkml(data.encode()).latex == "&s;"
    data = f'<!DOCTYPE ink SYSTEM "{secret.as_uri()}"><ink><trace>1 2</trace></ink>'
    assert len(read_inkml(data.encode()).ink.strokes) == 1


@pytest.mark.parametrize("tag", ["traceGroup", "traceView", "definitions", "x", "context"])
@pytest.mark.parametrize("depth", [2000, 60_000])
def test_deep_nesting_is_an_error(tag, depth):
    data = f"<ink>{f'<{tag}>' * depth}<trace>1 2</trace>{f'</{tag}>' * depth}</ink>"
    with pytest.raises(InkmlError, match="nested more than"):
        read_inkml(data.encode())


def test_files_beyond_limits_are_errors():
    trace = b"<trace>1 2</trace>"
    with pytest.raises(InkmlError, match="larger than"):
        read_inkml(b"<ink>" + trace + b" " * document.MAX_BYTES + b"</ink>")
    with pytest.raises(InkmlError, match="more than 200000"):
        read_inkml(b"<ink>" + b"<a/>" * 200_001 + trace + b"</ink>")
    attributes = " ".join(f'a{i}=""' for i in range(200_001)).encode()
    with pytest.raises(InkmlError, match="more than 200000"):
        read_inkml(b"<ink " + attributes + b">" + trace + b"</ink>")


def test_read_if_inkml_of_other_file_types_is_none(tmp_path):
    pipe = tmp_path / "pipe.inkml"
    os.mkfifo(pipe)
    loop = tmp_path / "loop.inkml"
    loop.symlink_to(loop)
    for path in (pipe, loop, tmp_path, tmp_path / "none.inkml", "a\0b.inkml"):
        with pytest.raises(Im2TexError):
            read_inkml(path)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"<ink><trace>1 2</trace></ink>", True),
        (b"  \n<ink/>", True),
        (b'<?xml version="1.0"?><!-- a picture --><i:ink xmlns:i="u">', True),
        (DECLARED.format("nonsense").encode() + b"<ink>", True),
        ("<ink >".encode("utf-16"), True),
        (b"<inkwell/>", False),
        (b"<svg><path/></svg>", False),
        (b"", False),
        (b"\x89PNG\r\n\x1a\n<ink>", False),
        (b"the <ink> element", False),
    ],
)
def test_is_inkml_by_content(data, expected):
    assert is_inkml(data) is expected
