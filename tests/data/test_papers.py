"""Tests of the extraction of formulas from papers in folders, archives and packages."""

import gzip
import io
import os
import tarfile
import zipfile
from itertools import pairwise
from pathlib import Path

import pytest

from im2tex.data.preparation.papers import read_papers, unpacking
from im2tex.data.preparation.papers.paper import read_paper
from im2tex.data.preparation.papers.units import MAX_DOCUMENTS, PaperUnit, paper_units
from im2tex.errors import Im2TexError

HEAD = "\\documentclass{article}\n"


def document(*formulas: str, head: str = "") -> bytes:
    body = " ".join(f"${formula}$" for formula in formulas)
    return f"{HEAD}{head}\\begin{{document}}{body}\\end{{document}}".encode()


def tarred(files: dict[str, bytes], mode: str = "w") -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode=mode) as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return stream.getvalue()


def put(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return folder


def found(origin: Path, **options) -> dict[str, list[str]]:
    options.setdefault("workers", 1)
    return {
        paper.name: [latex for _, latex in paper.formulas]
        for paper in read_papers(origin, **options)
    }


PAPERS = {
    "one/main.tex": document("a", head="\\input{macros}\\usepackage{own}") + b"% \\input{two}",
    "one/macros.tex": b"\\def\\a{x}",
    "one/own.sty": b"\\newcommand{\\b}{y}",
    "one/old.tex": b"$never$",
    "two/paper.tex": HEAD.encode() + b"\\begin{document}\\input sections/first $c$\\end{document}",
    "two/sections/first.tex": b"$d$",
}
EXPECTED = {"one": ["a"], "two": ["d", "c"]}


@pytest.mark.parametrize("workers", [1, 2])
def test_read_papers_of_folder(tmp_path, workers):
    assert found(put(tmp_path, PAPERS), workers=workers) == EXPECTED


@pytest.mark.parametrize(
    ("name", "pack"),
    [
        ("x.tar", tarred),
        ("x.tar.gz", lambda files: tarred(files, "w:gz")),
        ("x.tar.xz", lambda files: tarred(files, "w:xz")),
        ("x.zip", zipped),
    ],
)
def test_read_papers_of_archive_in_any_order(tmp_path, name, pack):
    mixed = dict(sorted(PAPERS.items(), key=lambda item: item[0][::-1]))
    (tmp_path / name).write_bytes(pack({f"all/{path}": data for path, data in mixed.items()}))
    assert found(tmp_path / name) == {f"all/{key}": value for key, value in EXPECTED.items()}


def test_read_papers_of_arxiv_packages(tmp_path):
    whole = {path.removeprefix("two/"): data for path, data in PAPERS.items() if "two/" in path}
    packages = {
        "2301/2301.00001.gz": gzip.compress(document("a")),
        "2301/2301.00002.gz": gzip.compress(tarred(whole | {"figure.pdf": b"%PDF"})),
        "2301/2301.00003.gz": gzip.compress(b"%PDF-1.5 and nothing else"),
        "2301/2301.00004.gz": b"no gzip at all",
        "2301/2301.00005.pdf": b"%PDF",
        "2301/figure.eps.gz": gzip.compress(b"%!PS $x$"),
        "2301/2301.00006v2.gz": gzip.compress(b"some,table,$5,$6"),
    }
    (tmp_path / "arXiv_src_2301_001.tar").write_bytes(tarred(packages))
    papers = list(read_papers(tmp_path / "arXiv_src_2301_001.tar", workers=1))
    assert [(paper.name, [latex for _, latex in paper.formulas]) for paper in papers] == [
        ("2301/2301.00001", ["a"]),
        ("2301/2301.00002", ["d", "c"]),
        ("2301/2301.00003", []),
        ("2301/2301.00004", []),
        ("2301/2301.00006v2", []),
    ]
    assert papers[2].skipped == {"no TeX in it": 1}
    assert papers[3].skipped == {"a damaged package": 1}
    assert papers[4].skipped == {"no TeX in it": 1}


def test_read_papers_named_by_arxiv_number(tmp_path):
    files = {f"2003/03010{number}": b"$$x_{%d}$$ \\bye $y$" % number for number in range(10, 17)}
    assert found(put(tmp_path, files)) == {
        f"2003/03010{number}": [f"x_{{{number}}}"] for number in range(10, 17)
    }


def test_read_papers_of_single_files(tmp_path):
    put(
        tmp_path,
        {"a.tex": document("a"), "b.tex": document("b"), "c.gz": gzip.compress(b"$c$ \\bye")},
    )
    assert found(tmp_path) == {"a": ["a"], "b": ["b"], "c": ["c"]}
    assert found(tmp_path / "a.tex") == {"a": ["a"]}
    assert found(tmp_path / "c.gz") == {"c": ["c"]}


def test_paper_units_of_folders():
    many = {f"all/{number}.tex": True for number in range(MAX_DOCUMENTS + 1)}
    assert paper_units({"p/a/main.tex": True, "p/a/s/x.tex": False, "p/b.tex": False}) == {
        "p/a/main.tex": PaperUnit("p/a"),
        "p/a/s/x.tex": PaperUnit("p/a"),
        "p/b.tex": PaperUnit("p"),
    }
    assert paper_units(many) == {path: PaperUnit(path) for path in many}
    shared = many | {"all/macros.tex": False}
    assert paper_units(shared) == {path: PaperUnit("all", separate=True) for path in shared}
    assert paper_units({"main.tex": True, "s/x.tex": False}) == {
        "main.tex": PaperUnit(""),
        "s/x.tex": PaperUnit(""),
    }


def test_papers_of_one_folder_share_files(tmp_path):
    files = {f"{n}.tex": document(r"\a", str(n), head=r"\input macros ") for n in range(6)}
    put(tmp_path, files | {"macros.tex": rb"\def\a{x}"})
    assert found(tmp_path) == {str(n): ["x", str(n)] for n in range(6)}


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        ("$\\text{é}$".encode(), r"\text{é}"),
        ("\ufeff$\\text{é}$".encode(), r"\text{é}"),
        ("$\\text{é}$".encode("latin-1"), r"\text{é}"),
        (b"$a\r\n+b % $\r\n-c$", "a +b -c"),
        (b"$a\r+b % $\r-c$", "a +b -c"),
    ],
)
def test_decode_encodings_and_line_ends(data, expected):
    (formula,) = read_paper("x", {"x.tex": data}).formulas
    assert formula.latex == expected


def test_input_files_are_of_the_paper_only(tmp_path):
    (tmp_path / "secret.tex").write_bytes(b"$secret$")
    reads = rf"\input{{{tmp_path / 'secret'}}}\input{{../secret}}\include{{/etc/passwd}}"
    put(tmp_path / "papers", {"one/main.tex": document("a", head=reads)})
    assert found(tmp_path / "papers") == {"one": ["a"]}


def test_recursive_input_terminates():
    head = HEAD.encode() + rb"\begin{document}"
    loop = {"a.tex": head + rb"\input b $a$", "b.tex": rb"\input a $b$"}
    assert [latex for _, latex in read_paper("x", loop).formulas] == ["b", "a"]
    names = "abcdefghijklmnopqrs"
    bomb = {f"{name}.tex": rb"\input{%s}" % after.encode() * 20 for name, after in pairwise(names)}
    bomb["a.tex"] = head + bomb["a.tex"]
    paper = read_paper("x", bomb | {"s.tex": b"y" * 10_000})
    assert paper.skipped["files beyond a document's size"] > 0


def test_subfile_is_read_once():
    chapter = rb"\documentclass[main]{subfiles}\begin{document}$b$\end{document}"
    files = {"chapter.tex": chapter, "main.tex": document("a", head=r"\subfile{chapter}")}
    assert len(read_paper("x", files).formulas) == 2


def test_harvmac_displays_are_extracted():
    main = rb"\input harvmac \eqn\first{a=b} and \eqnn\second $$c \eqno\second$$ \bye"
    (first, second) = read_paper("x", {"x.tex": main}).formulas
    assert (first, second) == (("d", "a=b"), ("d", "c"))


def test_input_file_without_its_folder_is_found():
    files = {
        "main.tex": HEAD.encode() + rb"\begin{document}\input{text/one}\end{document}",
        "one.tex": b"$a$",
    }
    assert [latex for _, latex in read_paper("x", files).formulas] == ["a"]


def test_hostile_packages_are_skipped(tmp_path, monkeypatch):
    link = io.BytesIO()
    with tarfile.open(fileobj=link, mode="w:gz") as archive:
        info = tarfile.TarInfo("main.tex")
        info.type, info.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(info)
    monkeypatch.setattr(unpacking, "LARGEST_PACKAGE", 1 << 20)
    figure = {"figure.png": bytes(1 << 20), "main.tex": document("a")}
    packages = {
        "2301.00001.gz": link.getvalue(),
        "2301.00002.gz": gzip.compress(tarred({"../../up.tex": document("a")})),
        "2301.00003.gz": gzip.compress(tarred(figure)),
        "2301.00004.gz": gzip.compress(document("b"))[:-20],
    }
    papers = {paper.name: paper for paper in read_papers(put(tmp_path, packages), workers=1)}
    assert {name: len(paper.formulas) for name, paper in papers.items()} == {
        "2301.00001": 0,
        "2301.00002": 1,
        "2301.00003": 0,
        "2301.00004": 0,
    }
    assert papers["2301.00003"].skipped == {f"unpacks to more than {1 << 20} bytes": 1}
    assert papers["2301.00004"].skipped == {"a damaged package": 1}
    assert papers["2301.00001"].skipped == {"no TeX in it": 1}


def test_raw_data_without_tex_is_refused(tmp_path):
    put(tmp_path, {"a.png": b"x"})
    with pytest.raises(Im2TexError, match="has no LaTeX source"):
        list(read_papers(tmp_path))
    with pytest.raises(Im2TexError, match="does not exist"):
        list(read_papers(tmp_path / "nowhere"))


@pytest.mark.skipif("IM2TEX_DATA" not in os.environ, reason="IM2TEX_DATA names no data")
def test_real_papers_match_reference_formulas():
    import lzma
    from collections import Counter, defaultdict

    data = Path(os.environ["IM2TEX_DATA"]) / "arxiv"
    reference: dict[str, set[str]] = defaultdict(set)
    where: dict[str, str] = {}
    with lzma.open(data / "formulas.tsv.xz", "rt", encoding="utf-8", newline="\n") as lines:
        next(lines)
        for line in lines:
            number, _, _, raw = line.rstrip("\n").split("\t", 3)
            # TeX passes over the space behind a macro, which the reference keeps.
            formula = raw.replace(" ", "")
            reference[number].add(formula)
            where[formula] = number
    wanted = equal = 0
    for paper in read_papers(data / "tex_sample.tar.xz"):
        ours = {latex.replace(" ", "") for _, latex in paper.formulas}
        numbers = Counter(where[latex] for latex in ours if latex in where)
        if numbers and max(numbers.values()) > 1:
            theirs = reference[numbers.most_common(1)[0][0]]
            wanted += len(theirs)
            equal += len(theirs & ours)
    # The others differ by macros that the reference did not expand, and one file that is not read.
    assert wanted > 800
    assert equal > 0.9 * wanted
