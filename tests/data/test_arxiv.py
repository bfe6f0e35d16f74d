"""Tests of the source `arxiv`."""

import json
from collections import Counter

import pytest
from printed_factory import FakeRenderer, formula, opener, size_of, table

from im2tex.data.preparation.printed import rendering
from im2tex.data.preparation.printed.settings import PAPER
from im2tex.data.source import SOURCES
from im2tex.data.sources import arxiv
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.latex.normalize import normalize


@pytest.fixture
def renderer(monkeypatch):
    """Renders instead of TeX, in chunks of 20."""
    renderer = FakeRenderer()
    monkeypatch.setattr(arxiv, "open_renderer", opener(renderer))
    monkeypatch.setattr(rendering.SplitRenderer.__init__, "__defaults__", (20,))
    return renderer


@pytest.fixture
def listed(tmp_path):
    """A hundred formulas of fifty papers, displays and others in turn."""
    rows = [(f"p{i // 2}", "di"[i % 2], formula(i)) for i in range(100)]
    return table(tmp_path / "formulas.tsv", rows)


def source(**settings):
    return SOURCES.build("arxiv", settings)


def set_fractions(monkeypatch, fraction):
    """Sets the fractions of the papers in `validation` and `test`."""
    for split in ("validation", "test"):
        monkeypatch.setitem(PAPER, split, fraction)


def everything(root, **settings):
    """Every sample by split."""
    made = source(**settings)
    made.ensure(root)
    return {name: list(made.split(root, name)) for name in made.available(root)}


# ---------------------------------------------------------------- preparation


def test_splits_are_disjoint_by_paper(renderer, listed, tmp_path, monkeypatch):
    set_fractions(monkeypatch, 0.2)
    prepared = source().prepare(tmp_path, str(listed))
    splits = everything(tmp_path)
    assert prepared.splits == {name: len(samples) for name, samples in splits.items()}
    assert sum(prepared.splits.values()) == 100
    homes = {}
    for name, samples in splits.items():
        for sample in samples:
            homes.setdefault(sample.extra["paper"], set()).add(name)
    assert len(homes) == 50
    assert all(len(home) == 1 for home in homes.values())
    assert set(splits) == {"train", "validation", "test"}


def test_sample_has_normal_form_and_downsampled_image(renderer, listed, tmp_path):
    source().prepare(tmp_path, str(listed))
    for sample in everything(tmp_path)["train"]:
        assert " ".join(sample.tokens) == normalize(sample.latex)
        assert sample.extra["tok"] == normalize(sample.latex, "tok")
        # 4 pixels for each character and 20 high, padded by 8 on every side, then halved.
        assert size_of(sample.image) == ((4 * len(sample.latex) + 16) // 2, (20 + 16) // 2)


def test_skipped_formulas_are_counted_by_reason(renderer, tmp_path, monkeypatch):
    set_fractions(monkeypatch, 0)
    prose = "is followed by some running text with $ in the wrong place"
    rows = [(f"p{i}", "d", formula(i)) for i in range(40)]
    rows += [("q", "d", formula(3).replace("^", " ^")), ("q", "i", "x"), ("q", "i", "{" * 50)]
    rows += [("q", "i", prose), ("q", "d", "x" * 1024), ("q0", "d", formula(99, 40))]
    rows += [(f"b{i}", "d", "\\bad" + formula(200 + i)) for i in range(10)]
    path = table(tmp_path / "list.tsv", rows)
    report = "\n".join(source().prepare(tmp_path, str(path)).lines)
    for line in (
        "56 formulas found, 50 of them to render",
        "2 skipped: not between 40 and 1024 characters",
        "1 skipped: running text between dollars that do not pair",
        "1 skipped: cannot be read",
        "1 skipped: duplicates",
        "1 skipped: longer than 150 tokens",
        "train: 10 skipped: not rendered: TeX reports an error",
    ):
        assert line in report
    problems = (tmp_path / "arxiv" / "problems.tsv").read_text().splitlines()
    assert len(problems) == 1 + 10
    assert "Undefined control sequence." in problems[1]


def test_oversized_images_are_skipped_except_in_test(renderer, tmp_path, monkeypatch):
    set_fractions(monkeypatch, 0.3)
    # 4 pixels for each character and 16 of padding, halved, exceed 500 from 247 characters on.
    wide = [formula(i) + r" \varepsilon" * 20 for i in range(30)]
    assert min(map(len, wide)) >= 247
    path = table(tmp_path / "list.tsv", [(f"p{i}", "d", text) for i, text in enumerate(wide)])
    path.open("a").writelines(f"n{i}\td\t{formula(100 + i)}\n" for i in range(30))
    prepared = source().prepare(tmp_path, str(path))
    splits = everything(tmp_path)
    for name in ("train", "validation"):
        assert all(size_of(sample.image)[0] <= 500 for sample in splits[name])
    assert any(size_of(sample.image)[0] > 500 for sample in splits["test"])
    assert any("larger than 500 x 160" in line for line in prepared.lines)


def test_excluded_formulas_are_in_no_split(renderer, listed, tmp_path):
    held = [normalize(formula(i)) for i in range(5)]
    samples = [rendering.Sample(str(i), text, tuple(text.split())) for i, text in enumerate(held)]
    write_split(tmp_path / "im2latex" / "test.parquet", samples, {"source": "im2latex"})
    prepared = source().prepare(tmp_path, str(listed))
    assert sum(prepared.splits.values()) == 95
    assert "5 skipped: in a test or validation set" in prepared.lines
    found = {" ".join(s.tokens) for samples in everything(tmp_path).values() for s in samples}
    assert found.isdisjoint(held)


def test_smaller_data_set_is_beginning_of_larger_one(renderer, listed, tmp_path):
    source(limit=20, limit_validation=2, limit_test=2).prepare(tmp_path / "a", str(listed))
    source().prepare(tmp_path / "b", str(listed))
    small, large = everything(tmp_path / "a"), everything(tmp_path / "b")
    assert len(small["train"]) == 20
    for name, samples in small.items():
        assert [s.key for s in samples] == [s.key for s in large[name][: len(samples)]]
    # Only the necessary chunks were rendered.
    assert len(renderer.rendered) < 100 + 60


def test_prepare_from_latex_sources(renderer, tmp_path, monkeypatch):
    set_fractions(monkeypatch, 0)
    papers = tmp_path / "papers"
    for i in range(4):
        body = "\n".join(f"$${formula(10 * i + k)}$$" for k in range(5))
        (papers / f"p{i}").mkdir(parents=True)
        (papers / f"p{i}" / "main.tex").write_text(
            "\\documentclass{article}\n\\begin{document}\n" + body + "\n\\end{document}\n"
        )
    prepared = source().prepare(tmp_path, str(papers))
    assert prepared.splits == {"train": 20}
    assert "4 papers read, 20 formulas found, 20 of them to render" in prepared.lines
    counts = Counter(sample.extra["paper"] for sample in everything(tmp_path)["train"])
    assert sorted(counts.values()) == [5, 5, 5, 5]


# ---------------------------------------------------------------- interruptions


def test_interrupted_preparation_resumes(renderer, listed, tmp_path):
    source().prepare(tmp_path / "whole", str(listed))
    renderer.rendered.clear()
    renderer.stops_after = 50
    with pytest.raises(KeyboardInterrupt):
        source().prepare(tmp_path / "parts", str(listed))
    assert not source().available(tmp_path / "parts")
    renderer.stops_after = None
    prepared = source().prepare(tmp_path / "parts", str(listed))
    assert "resumed an earlier, interrupted preparation" in prepared.lines
    # Two chunks of 20 were cached, the ten formulas of the third were rendered again.
    assert len(renderer.rendered) == 50 + 60
    assert everything(tmp_path / "parts") == everything(tmp_path / "whole")
    assert not list((tmp_path / "parts" / "arxiv").glob(".preparing*"))


def test_preparation_with_other_settings_starts_anew(renderer, listed, tmp_path):
    renderer.stops_after = 50
    with pytest.raises(KeyboardInterrupt):
        source().prepare(tmp_path, str(listed))
    renderer.stops_after = None
    renderer.rendered.clear()
    prepared = source(max_tokens=100).prepare(tmp_path, str(listed))
    assert len(renderer.rendered) == 100
    assert not any("resumed" in line for line in prepared.lines)


def test_damaged_chunk_is_rendered_again(renderer, listed, tmp_path):
    renderer.stops_after = 50
    with pytest.raises(KeyboardInterrupt):
        source().prepare(tmp_path, str(listed))
    part = tmp_path / "arxiv" / ".preparing" / "part-00000.parquet"
    part.write_bytes(part.read_bytes()[:100])
    renderer.stops_after = None
    assert sum(source().prepare(tmp_path, str(listed)).splits.values()) == 100


# ---------------------------------------------------------------- selection


def test_split_selects_part_of_store(renderer, listed, tmp_path, monkeypatch):
    set_fractions(monkeypatch, 0.2)
    source().prepare(tmp_path, str(listed))
    whole = everything(tmp_path)
    some = everything(tmp_path, limit=10)
    assert [s.key for s in some["train"]] == [s.key for s in whole["train"]][:10]
    longest = sorted(len(s.tokens) for s in whole["train"])[20]
    short = everything(tmp_path, max_tokens=longest)
    assert max(len(s.tokens) for s in short["train"]) <= longest
    assert len(short["test"]) == len(whole["test"])
    tok = everything(tmp_path, labels="tok")
    assert [" ".join(s.tokens) for s in tok["train"]] == [s.extra["tok"] for s in whole["train"]]


def test_ensure_refuses_other_settings_with_command(renderer, listed, tmp_path):
    source(limit=20, max_tokens=100).prepare(tmp_path, str(listed))
    with pytest.raises(Im2TexError, match="max_tokens=120, made with 100"):
        source(max_tokens=120).ensure(tmp_path)
    with pytest.raises(Im2TexError, match=r"--source_args '\{max_tokens: 120\}'"):
        source(max_tokens=120).ensure(tmp_path)
    with pytest.raises(Im2TexError, match=r"limit=30, but .* at most 20 samples"):
        source(limit=30).split(tmp_path, "train")
    with pytest.raises(Im2TexError, match=r"does not exist. Make it with `im2tex data prepare"):
        source().ensure(tmp_path / "elsewhere")


def test_store_has_metadata_of_preparation(renderer, listed, tmp_path):
    source(limit=20, labels="tok").prepare(tmp_path, str(listed))
    about = source().split(tmp_path, "train").metadata
    assert about["settings"]["limits"]["train"] == 20
    assert about["renderer"] == "fake 1"
    assert about["origin"]["files"] == 1
    part = source(limit=5).split(tmp_path, "train").metadata
    assert part["selection"] == {"limit": 5}
    json.dumps(part)


# ---------------------------------------------------------------- invalid settings and files


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"limit": 0}, "limit must be >= 1, got 0"),
        ({"limit_test": -1}, "limit_test must be >= 1, got -1"),
        ({"labels": "raw"}, "labels"),
    ],
)
def test_settings_out_of_range_are_refused(settings, words):
    with pytest.raises(Im2TexError, match=words):
        source(**settings)


def test_unusable_lists_are_refused(renderer, tmp_path, monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)
    with pytest.raises(Im2TexError, match="--from"):
        source().prepare(tmp_path)
    with pytest.raises(Im2TexError, match=r"no\.tsv does not exist"):
        source().prepare(tmp_path, str(tmp_path / "no.tsv"))
    bad = tmp_path / "bad.tsv"
    bad.write_text("a\tb\n1\t2\n")
    with pytest.raises(Im2TexError, match="no column of formulas"):
        source().prepare(tmp_path, str(bad))
    bad.write_text("raw\tb\n1\n")
    with pytest.raises(Im2TexError, match="line 2: 1 column where the header has 2"):
        source().prepare(tmp_path, str(bad))
    torn = tmp_path / "torn.txt.xz"
    torn.write_bytes(b"\xfd7zXZ\x00 no more")
    with pytest.raises(Im2TexError, match=r"cannot read .*torn\.txt\.xz"):
        source().prepare(tmp_path, str(torn))
    few = tmp_path / "few.txt"
    few.write_text("x\ny\n")
    with pytest.raises(Im2TexError, match="leaves no training samples"):
        source().prepare(tmp_path, str(few))
    with pytest.raises(Im2TexError, match="--labels"):
        source().prepare(tmp_path, str(few), few)
