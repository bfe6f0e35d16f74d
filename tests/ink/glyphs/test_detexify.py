"""`read_detexify` on both formats."""

import gzip
import json
import lzma
from collections import Counter

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.ink.glyphs.detexify import read_detexify

POINTS = [[[10, 20, 1362942716695], [30, 60, 1362942716700]], [[5, 5, 1362942716800]]]
STROKES = [[(10, 20), (30, 60)], [(5, 5)]]
DUMP = """\
SET client_encoding = 'UTF8';
CREATE TABLE samples (id integer NOT NULL, key text, strokes json);
COPY samples (id, key, strokes) FROM stdin;
{rows}
\\.
SELECT pg_catalog.setval('samples_id_seq', 3, true);
"""


def read(path):
    skipped = Counter()
    return [(d.token, [s.tolist() for s in d.strokes]) for d in read_detexify(path, skipped)], (
        skipped
    )


def as_read(strokes):
    return [[list(point) for point in stroke] for stroke in strokes]


def dump(*rows):
    return DUMP.format(rows="\n".join("\t".join(map(str, row)) for row in rows))


def test_read_detexify_dump_gives_symbols_and_skipped(tmp_path):
    text = dump(
        (1, "latex2e-OT1-_alpha", json.dumps(POINTS)),
        (2, "amssymb-OT1-_mathbb{R}", json.dumps(POINTS)),
        (3, "latex2e-OT1-_not_approx", json.dumps(POINTS)),
        (4, "dsfont-OT1-_mathds{1}", json.dumps(POINTS)),
        (5, "textcomp-TS1-_textminus", json.dumps(POINTS)),
        (6, "tipa-T3-_textbeta", json.dumps(POINTS)),
        (7, "latex2e-OT1-__", json.dumps(POINTS)),
        (8, "", json.dumps(POINTS)),
        (9, "latex2e-OT1-_beta", "\\N"),
    )
    path = tmp_path / "detexify.sql.gz"
    path.write_bytes(gzip.compress(text.encode()))
    found, skipped = read(path)
    assert [token for token, _ in found] == [
        "\\alpha", "\\mathbb{R}", "\\not\\approx", "\\mathbb{1}", "-",
    ]  # fmt: skip
    assert all(strokes == as_read(STROKES) for _, strokes in found)
    assert skipped == {
        "of symbols outside of formulas": 1,
        "of an unknown symbol": 2,
        "lines that cannot be read": 1,
    }


def test_read_detexify_dump_unescapes_backslashes(tmp_path):
    path = tmp_path / "any.sql"
    path.write_text(dump((1, "latex2e-OT1-\\\\alpha", json.dumps(POINTS))))
    assert read(path)[0] == [("\\alpha", as_read(STROKES))]


def test_read_detexify_named_coordinates(tmp_path):
    points = [[{"x": x, "y": y, "t": 1} for x, y in stroke] for stroke in STROKES]
    (tmp_path / "d.sql").write_text(dump((1, "amssymb-OT1-_bigstar", json.dumps(points))))
    assert read(tmp_path / "d.sql")[0] == [("\\bigstar", as_read(STROKES))]


def test_read_detexify_json_lines_with_symbol_table(tmp_path):
    flat = [[v for point in stroke for v in point] for stroke in STROKES]
    lines = [
        {"id": 1, "sym": "latex:latex2e:alpha", "strokes": flat},
        {"id": 2, "sym": "latex:latex2e:alpha", "strokes": flat, "rejected": "bad-sample"},
        {"id": 3, "sym": "latex:latex2e:unknown", "strokes": flat},
    ]
    text = "\n".join(json.dumps(line) for line in lines)
    (tmp_path / "detexify_strokes.jsonl.xz").write_bytes(lzma.compress(text.encode()))
    (tmp_path / "symbols.tsv").write_text(
        "symbol_id\tcommand\tpackage\tfontenc\tmode\tsamples\n"
        "latex:latex2e:alpha\t\\alpha\t\tOT1\tmath\t50\n"
    )
    found, skipped = read(tmp_path)
    assert found == [("\\alpha", as_read(STROKES))]
    assert skipped == {"marked as rejected": 1, "of an unknown symbol": 1}


@pytest.mark.parametrize(
    "strokes",
    [
        "[]",
        "[[]]",
        "{}",
        "[[[1]]]",
        '[["a"]]',
        "[[1, 2, 3]]",
        "[[[1, null]]]",
        "[[[1, 1e400]]]",
        "[[[1, 1e7]]]",
        "[[{}]]",
        "[5]",
        json.dumps([[[1, 2, 3]] * 20_001]),
    ],
)
def test_read_detexify_invalid_strokes_are_counted(tmp_path, strokes):
    (tmp_path / "d.sql").write_text(dump((1, "latex2e-OT1-_alpha", strokes)))
    found, skipped = read(tmp_path / "d.sql")
    assert found == []
    assert skipped == {"strokes that cannot be read": 1}


@pytest.mark.parametrize("row", ["[" * 100_000, "x" * (5 << 20), "\x00"])
def test_read_detexify_hostile_lines_are_counted(tmp_path, row):
    good = json.dumps(POINTS)
    (tmp_path / "d.sql").write_text(
        dump((1, "latex2e-OT1-_alpha", row), (2, "latex2e-OT1-_beta", good))
    )
    found, skipped = read(tmp_path / "d.sql")
    assert [token for token, _ in found] == ["\\beta"]
    assert skipped.total() == 1


def test_read_detexify_missing_or_damaged_file_is_an_error(tmp_path):
    with pytest.raises(Im2TexError, match=r"does not exist.*kirel/detexify-data"):
        read(tmp_path / "none")
    with pytest.raises(Im2TexError, match=r"none of detexify_strokes\.jsonl"):
        read(tmp_path)
    (tmp_path / "other.txt").write_text("hello\n")
    with pytest.raises(Im2TexError, match=r"no Detexify samples in .*other\.txt"):
        read(tmp_path / "other.txt")
    (tmp_path / "cut.gz").write_bytes(gzip.compress(np.random.default_rng(0).bytes(99_999))[:5000])
    with pytest.raises(Im2TexError, match=r"cannot read .*cut\.gz"):
        read(tmp_path / "cut.gz")
