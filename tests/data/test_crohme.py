"""Tests of the source `crohme`."""

import csv
import errno
import http.server
import io
import random
import shutil
import threading
import zipfile
from pathlib import Path, PurePosixPath

import pyarrow.parquet as pq
import pytest
from crohme_files import inkml, release, training, write

from im2tex.data.source import SOURCES
from im2tex.data.sources.crohme.folders import OTHER_TASKS, collection_of, split_of
from im2tex.data.sources.crohme.source import CrohmeSource
from im2tex.data.sources.crohme.validation import held_out
from im2tex.errors import Im2TexError


def store(root: Path) -> dict[str, dict[str, tuple[str, ...]]]:
    source = CrohmeSource()
    return {
        name: {sample.key: sample.tokens for sample in source.split(root, name)}
        for name in source.available(root)
    }


def problems(root: Path) -> list[list[str]]:
    with (root / "crohme" / "problems.tsv").open() as file:
        return list(csv.reader(file, delimiter="\t"))[1:]


def test_source_is_registered():
    assert SOURCES.get("crohme") is CrohmeSource


def test_folder_is_prepared(tmp_path):
    data = write(tmp_path / "in", release())
    prepared = CrohmeSource().prepare(tmp_path / "out", str(data))
    found = store(tmp_path / "out")
    assert prepared.splits == {name: len(samples) for name, samples in found.items()}
    assert sorted(found) == ["test_2013", "test_2014", "train", "validation"]
    assert len(found["train"]) + len(found["validation"]) == 80
    # A tenth of the 40 inks of each collection, in whole labels of two inks.
    assert len(found["validation"]) == 8
    assert not set(found["train"].values()) & set(found["validation"].values())
    assert found["test_2014"] == {f"t{i}": ("a", "+", str(i)) for i in range(3)}
    assert not list((tmp_path / "out" / "crohme").glob(".preparing*"))


def test_sample_has_origin_and_symbols(tmp_path):
    fraction = '<mfrac xml:id="-_1"><mi xml:id="x_1">x</mi><mn xml:id="2_1">2</mn></mfrac>'
    ink = inkml("x - 2", latex=r"\frac x 2", mathml=fraction, writer="w9")
    files = training() | {"TestEM2014GT/18_em_0.inkml": ink}
    CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    (sample,) = CrohmeSource().split(tmp_path / "out", "test_2014")
    assert sample.latex == r"$\frac x 2$"
    assert sample.tokens == ("\\frac", "{", "x", "}", "{", "2", "}")
    assert sample.extra == {
        "writer": "w9",
        "collection": "TestEM2014GT",
        "file": "TestEM2014GT/18_em_0.inkml",
        "label_source": "latex",
    }
    assert [(s.token, s.strokes, s.position) for s in sample.ink.symbols] == [
        ("x", (0,), 2),
        ("-", (1,), 0),
        ("2", (2,), 5),
    ]
    assert sample.ink.strokes[1].tolist() == [[10, 0], [15, 7], [16, 9]]


@pytest.mark.parametrize(
    ("path", "split"),
    [
        ("crohme_2014.tar.xz/TrainINKML/HAMEX/a.inkml", "train"),
        ("crohme_2014/TestINKMLGT/a.inkml", "test_2013"),
        ("crohme_2014/TestEM2014GT/a.inkml", "test_2014"),
        ("HAMEX/a.inkml", "train"),
        ("TC11_package/CROHME2011_data/CROHME_training/CROHME_training/a.inkml", "train"),
        ("TC11_package/CROHME2011_data/CROHME_testGT/CROHME_testGT/a.inkml", "test_2011"),
        ("TC11_package/CROHME2012_data/trainData.zip/trainData/a.inkml", "train"),
        ("TC11_package/CROHME2012_data/testDataGT/a.inkml", "test_2012"),
        ("TC11_package/CROHME2013_data/TrainINKML/MathBrush/a.inkml", "train"),
        ("TC11_package/CROHME2013_data/TestINKMLGT/Prime_in_row/a.inkml", "test_2013"),
        ("TC11_package/CROHME2014_data/TestEM2014GT/a.inkml", "test_2014"),
        ("CROHME2016_data/Task-1-Formula.zip/TEST2016_INKML_GT/a.inkml", "test_2016"),
        ("CROHME2016_data/Task-2-Symbols/task2-trainSymb2014/a.inkml", OTHER_TASKS),
        ("CROHME2016_data/Task-4-Matrix/a.inkml", OTHER_TASKS),
        ("MatricesTrain2014/a.inkml", OTHER_TASKS),
        ("CROHME2019_data/Task1_onlineRec/MainTask_formula/Train.zip/Train/INKMLs/Train_2014/a.inkml",
         "train"),
        ("CROHME2019_data/Task1_onlineRec/MainTask_formula/Train/INKMLs/Test_2013/a.inkml",
         "test_2013"),
        ("CROHME2019_data/Task1_onlineRec/MainTask_formula/valid.zip/valid/TestEM2014GT_INKMLs/a.inkml",
         "test_2014"),
        ("Task1_and_Task2/Task1_onlineRec/MainTask_formula/Test.zip/Test/a.inkml", "test_2019"),
        ("CROHME2019_data/Task1_onlineRec/MainTask_formula/TestSet2019/a.inkml", "test_2019"),
        ("Test/INKMLs/Test2019_INKMLs_GT/a.inkml", "test_2019"),
        ("TestINKMLGT_2014/a.inkml", "test_2014"),
        ("archive/CROHME_training_2011/a.inkml", "train"),
        ("archive/trainData_2012_part2/a.inkml", "train"),
        ("archive/TestINKML_2013/TestINKML/a.inkml", "test_2013"),
        ("archive/CROHME_test_2011/a.inkml", "test_2011"),
        ("CROHME23.zip/TC11_CROHME23/INKML/train/CROHME2019/a.inkml", "train"),
        ("CROHME23.zip/TC11_CROHME23/INKML/train/Artificial_data/x/a.inkml", OTHER_TASKS),
        ("CROHME23.zip/TC11_CROHME23/INKML/val/CROHME2016_test/a.inkml", "test_2016"),
        ("CROHME23.zip/TC11_CROHME23/INKML/val/CROHME2023_val/a.inkml", "validation_2023"),
        ("CROHME23.zip/TC11_CROHME23/INKML/test/CROHME2023_test/a.inkml", "test_2023"),
        ("crohme/test/2016/a.inkml", "test_2016"),
        ("somewhere/inks/a.inkml", None),
        ("test/a.inkml", None),
    ],
)  # fmt: skip
def test_split_of_known_layouts(path, split):
    assert split_of(PurePosixPath(path)) == split


def test_collection_of_folder_or_identifier():
    flat = PurePosixPath("Train/INKMLs/Train_2014/a.inkml")
    assert collection_of(PurePosixPath("TrainINKML/hamex/a.inkml"), "", "") == "HAMEX"
    assert collection_of(flat, "2009210-947-0.ink", "") == "MathBrush"
    assert collection_of(flat, "2011_IVC_DEPART_F001_E001", "LUNAM/IRCCyN") == "HAMEX"
    assert collection_of(flat, "2013_IVC_CROHME_F10_E81", "LUNAM/IRCCyN") == "extension"
    assert collection_of(flat, "2011_KME1_w0_e10", "KAIST") == "KAIST"
    assert collection_of(flat, "81_Frank", "") == "expressmatch"
    assert collection_of(flat, "", "") == "Train_2014"


def test_nested_zips_and_folders_give_same_store(tmp_path):
    files = release()
    inner = {"Train.zip": "TrainINKML", "valid.zip": "TestEM2014GT", "old.zip": "TestINKMLGT"}
    outer = io.BytesIO()
    with zipfile.ZipFile(outer, "w") as package:
        for name, folder in inner.items():
            stream = io.BytesIO()
            with zipfile.ZipFile(stream, "w") as archive:
                for path, data in reversed(files.items()):
                    if path.startswith(folder):
                        archive.writestr(path, data)
            package.writestr(f"CROHME/{name}", stream.getvalue())
    (tmp_path / "TC11.zip").write_bytes(outer.getvalue())
    CrohmeSource().prepare(tmp_path / "a", str(tmp_path / "TC11.zip"))
    CrohmeSource().prepare(tmp_path / "b", str(write(tmp_path / "in", files)))
    assert store(tmp_path / "a") == store(tmp_path / "b")


def test_duplicate_with_truth_is_kept(tmp_path):
    bare = inkml("a b", latex="", mathml=None, groups=False, ui="u1", shift=3)
    full = inkml("a b", ui="u1", shift=3)
    files = training() | {
        "TEST2016_INKML_noGT/UN_1.inkml": bare,
        "TEST2016_INKML_GT/UN_1.inkml": full,
        "Copy/TEST2016_INKML_GT/UN_1.inkml": full,
    }
    prepared = CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    (sample,) = CrohmeSource().split(tmp_path / "out", "test_2016")
    assert sample.tokens == ("a", "b")
    assert sample.extra["file"] == "TEST2016_INKML_GT/UN_1.inkml"
    assert any(line.startswith("2 files skipped that have the same ink") for line in prepared.lines)


def test_different_inks_of_one_name_are_kept(tmp_path):
    files = training() | {
        "TrainINKML/HAMEX/same.inkml": inkml("p q", ui="u1", shift=500),
        "TrainINKML/MfrDB/same.inkml": inkml("r s", ui="u2", shift=600),
    }
    CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    found = store(tmp_path / "out")
    keys = {key for split in ("train", "validation") for key in found[split]}
    assert {"TrainINKML/HAMEX/same", "TrainINKML/MfrDB/same"} <= keys


def test_test_samples_are_removed_from_training_except_old_tests(tmp_path):
    files = release() | {
        "Train_2014/t0.inkml": inkml("a + 0", ui="t_2014_0", shift=2014),
        "CROHME2012_data/testDataGT/f1a.inkml": release()["TrainINKML/HAMEX/f1a.inkml"],
    }
    prepared = CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    found = store(tmp_path / "out")
    assert prepared.splits["train"] + prepared.splits["validation"] == 80
    assert "t0" not in found["train"] | found["validation"]
    assert list(found["test_2012"]) == ["f1a"]
    assert "1 sample removed from training, in a test as well" in prepared.lines
    assert any("1 sample of test_2012 also in the training data" in line for line in prepared.lines)


def test_missing_samples_are_reported(tmp_path):
    files = {name: data for name, data in release().items() if not name.startswith("TestEM")}
    prepared = CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    text = "\n".join(prepared.lines)
    assert "warning: only 80 of 8835 training samples" in text
    assert "KAIST 40 of 1051" in text
    assert "warning: test_2013 has 3 samples, expected 671" in text
    assert "warning: test_2014 is missing (986 samples)" in text
    assert "--from" in text


def test_prepare_without_training_samples_writes_no_store(tmp_path):
    files = {name: data for name, data in release().items() if name.startswith("Test")}
    data = write(tmp_path / "in", files)
    with pytest.raises(Im2TexError, match="no training samples; found: test_2013") as caught:
        CrohmeSource().prepare(tmp_path / "out", str(data))
    assert "'train' in its name" in str(caught.value)
    assert not list((tmp_path / "out").rglob("*.parquet"))


def test_empty_folder_is_refused(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(Im2TexError, match=r"tc11\.cvc\.uab\.es"):
        CrohmeSource().prepare(tmp_path / "out", str(tmp_path / "in"))
    with pytest.raises(Im2TexError, match="does not exist"):
        CrohmeSource().prepare(tmp_path / "out", str(tmp_path / "typo"))


def test_malformed_files_are_reported(tmp_path):
    files = release() | {
        "TrainINKML/MfrDB/empty.inkml": b"",
        "TrainINKML/MfrDB/cut.inkml": inkml("a b")[:-30],
        "TrainINKML/MfrDB/nan.inkml": inkml("a b").replace(b"5.0 7", b"NaN 7"),
        "TrainINKML/MfrDB/mute.inkml": inkml("a", latex="", mathml=None, groups=False),
        "inks/lost.inkml": inkml("a"),
    }
    prepared = CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    assert sum(prepared.splits.values()) == 86
    listed = problems(tmp_path / "out")
    assert [(row[0].split("/")[-1], row[2]) for row in listed] == [
        ("cut.inkml", "skipped"),
        ("empty.inkml", "skipped"),
        ("mute.inkml", "skipped"),
        ("nan.inkml", "skipped"),
        ("inks", "skipped"),
    ]
    assert "not finite" in listed[3][1]
    text = "\n".join(prepared.lines)
    assert "4 with a problem (all in problems.tsv)" in text
    assert "1 file in in/inks skipped" in text


def test_test_split_keeps_samples_without_label(tmp_path):
    files = release() | {
        "TestEM2014GT/broken.inkml": inkml("a b", latex=r"\frac{a}{b", mathml=None),
        "TestEM2014GT/seen.inkml": inkml("a < b", latex="", mathml=None, shift=1),
        "TestEM2014GT/mute.inkml": inkml("a b", latex="", mathml=None, groups=False, shift=2),
        "TestEM2014GT/table.inkml": inkml("a b", mathml="<mtable/>", shift=3),
    }
    prepared = CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    samples = {s.key: s for s in CrohmeSource().split(tmp_path / "out", "test_2014")}
    assert len(samples) == 7
    assert samples["broken"].tokens == ("\\frac", "{", "a", "}", "{", "b")
    assert samples["broken"].extra["label_source"] == "best effort"
    assert samples["seen"].tokens == ("a", "<", "b")
    assert samples["seen"].extra["label_source"] == "symbols"
    assert samples["mute"].tokens == ()
    assert samples["table"].tokens == ("a", "b")
    assert any("2 labels estimated" in line for line in prepared.lines)
    assert ["TestEM2014GT/mute.inkml", "there is no truth in the file", "kept without a label"] in (
        problems(tmp_path / "out")
    )


def test_own_truth_follows_annotated_symbols(tmp_path):
    files = training() | {
        # The LaTeX lost an x that the annotators saw; the MathML has it.
        "TestINKMLGT/latex_wrong.inkml": inkml("3 x", latex="3"),
        # The MathML lost one.
        "TestINKMLGT/mathml_wrong.inkml": inkml(
            "3 x", latex="3x", mathml='<mn xml:id="3_1">3</mn>', shift=1
        ),
        # Neither agrees with the ink: LaTeX it is.
        "TestINKMLGT/both_wrong.inkml": inkml("3 x", latex="3y", mathml="<mi>z</mi>", shift=2),
        # The exporter's empty script.
        "TestINKMLGT/empty_script.inkml": inkml(
            "y ,",
            latex="y _ {},",
            mathml='<msub><mi xml:id="y_1">y</mi><mo xml:id=",_1">,</mo></msub>',
            shift=3,
        ),
    }
    CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)))
    assert store(tmp_path / "out")["test_2013"] == {
        "latex_wrong": ("3", "x"),
        "mathml_wrong": ("3", "x"),
        "both_wrong": ("3", "y"),
        "empty_script": ("y", "_", "{", ",", "}"),
    }


def captions(path: Path, files: dict[str, bytes], header: bool) -> Path:
    lines = ["split\tid\tlabel"] if header else []
    for name in files:
        if "train" in name.lower():
            split, label = "train_2014", "T"
        else:
            split, label = ("test_2014" if "2014" in name else "test_2013"), "E ' e"
        key = Path(name).stem
        lines.append(
            f"{split}\t{key}\t{label} {key[-1]}" if header else f"{key}\t{label} {key[-1]}"
        )
    path.write_text("\n".join(lines) + "\n")
    return path


def test_labels_file_with_header(tmp_path):
    files = release()
    data = write(tmp_path / "in", files)
    labels = captions(tmp_path / "captions.tsv", files, header=True)
    prepared = CrohmeSource().prepare(tmp_path / "out", str(data), labels)
    found = store(tmp_path / "out")
    assert found["test_2013"]["t1"] == ("E", "'", "e", "1")
    assert set((found["train"] | found["validation"]).values()) == {("T", "a"), ("T", "b")}
    assert "labels from: labels file 86" in prepared.lines
    assert any("test_2014: own labels agree on 0 of 3" in line for line in prepared.lines)
    sample = CrohmeSource().split(tmp_path / "out", "test_2014")[0]
    assert sample.extra["label_source"] == "labels file"
    # Nothing of "a + 0" is in "E ' e 0" but the 0.
    assert [s.position for s in sample.ink.symbols] == [-1, -1, 3]


def test_labels_file_with_two_columns(tmp_path):
    files = release()
    only_tests = {name: data for name, data in files.items() if "2014" in name}
    labels = captions(tmp_path / "captions.txt", only_tests, header=False)
    # The keys t0…t2 are those of 2013 as well; training is not in the file at all.
    prepared = CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)), labels)
    found = store(tmp_path / "out")
    assert found["test_2014"]["t1"] == ("E", "'", "e", "1")
    assert found["train"]["f0a"] == ("0", "0", "0")
    assert "train: captions.txt labels none of its samples; they keep their truth" in prepared.lines


def test_labels_for_part_of_a_split_are_refused(tmp_path):
    files = release()
    labels = captions(tmp_path / "captions.tsv", files, header=True)
    labels.write_text(
        "".join(line for line in labels.open() if "\tf3a\t" not in line and "\tf5b\t" not in line)
    )
    with pytest.raises(Im2TexError, match=r"no label for 2 of the 80 samples of train.*'f3a'"):
        CrohmeSource().prepare(tmp_path / "out", str(write(tmp_path / "in", files)), labels)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "empty"),
        ("no tabs here\n", "line 1"),
        ("a\tx\na\ty\n", "second, different label"),
        ("id\tlabel\na.inkml\tx\na\ty\n", "line 3"),
    ],
)
def test_malformed_labels_file_is_refused(tmp_path, text, reason):
    data = write(tmp_path / "in", release())
    (tmp_path / "labels.tsv").write_text(text)
    with pytest.raises(Im2TexError, match=reason):
        CrohmeSource().prepare(tmp_path / "out", str(data), tmp_path / "labels.tsv")


def test_missing_labels_file_is_refused(tmp_path):
    with pytest.raises(Im2TexError, match="--labels"):
        CrohmeSource().prepare(tmp_path / "out", str(tmp_path), tmp_path / "no.tsv")


def test_held_out_depends_on_labels_only():
    inks = [
        (collection, (collection, str(number)))
        for collection, labels in (("a", 300), ("b", 50))
        for number in range(labels)
        for _ in range(1 + number % 3)
    ]
    inks += [("b", ("a", "1"))]  # a label of two collections counts for the one that has most of it
    chosen = held_out(inks)
    shuffled = inks.copy()
    random.Random(1).shuffle(shuffled)
    assert held_out(shuffled) == chosen
    for collection in "ab":
        mine = [label for name, label in inks if name == collection]
        share = sum(label in chosen for label in mine) / len(mine)
        assert abs(share - 0.1) < 0.02
    # Another collection changes nothing in this one.
    assert {label for label in chosen if label[0] == "a"} == held_out(
        [ink for ink in inks if ink[1][0] == "a"]
    )


def test_unwritable_root_is_refused(tmp_path):
    data = write(tmp_path / "in", release())
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Im2TexError, match="--root"):
        CrohmeSource().prepare(tmp_path / "file", str(data))


def test_full_disk_keeps_earlier_store(tmp_path, monkeypatch):
    data = write(tmp_path / "in", release())
    CrohmeSource().prepare(tmp_path / "out", str(data))
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    write(data, {"TestEM2014GT/t9.inkml": inkml("z z z", shift=77)})
    written = 0
    original = pq.ParquetWriter.write_table

    def full(self, *args, **kwargs):
        nonlocal written
        written += 1
        if written == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        return original(self, *args, **kwargs)

    monkeypatch.setattr(pq.ParquetWriter, "write_table", full)
    with pytest.raises(Im2TexError, match="No space left"):
        CrohmeSource().prepare(tmp_path / "out", str(data))
    after = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    assert after == before


def test_stale_split_is_reported(tmp_path):
    data = write(tmp_path / "in", release())
    CrohmeSource().prepare(tmp_path / "out", str(data))
    shutil.rmtree(data / "TestINKMLGT")
    prepared = CrohmeSource().prepare(tmp_path / "out", str(data))
    assert any("test_2013.parquet is from an earlier" in line for line in prepared.lines)


def test_default_raw_data_is_in_im2tex_data(tmp_path, monkeypatch):
    monkeypatch.delenv("IM2TEX_DATA", raising=False)
    with pytest.raises(Im2TexError, match="--from PATH") as caught:
        CrohmeSource().prepare(tmp_path / "out")
    assert "CC BY-NC-SA" in str(caught.value)
    monkeypatch.setenv("IM2TEX_DATA", str(tmp_path))
    with pytest.raises(Im2TexError, match=r"crohme_2014\.tar\.xz"):
        CrohmeSource().prepare(tmp_path / "out")


def test_raw_data_from_url(tmp_path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, data in release().items():
            archive.writestr(name, data)
    write(tmp_path / "web", {"crohme.zip": stream.getvalue()})

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, directory=str(tmp_path / "web"), **kwargs)

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/crohme.zip"
        prepared = CrohmeSource().prepare(tmp_path / "out", url)
        server.shutdown()
    assert sum(prepared.splits.values()) == 86
    assert len(list((tmp_path / "out" / "downloads").iterdir())) == 1


BAD_INKML = {
    "shift_jis": b'<?xml version="1.0" encoding="shift_jis"?><ink><trace>1 2, 3 4</trace></ink>',
    "unknown": b'<?xml version="1.0" encoding="nonsense-5"?><ink><trace>1 2, 3 4</trace></ink>',
    "utf_16": '<?xml version="1.0" encoding="utf-16"?><ink><trace>1 2</trace></ink>'.encode(
        "utf-16"
    )[:-3],
    "mislabelled": '<?xml version="1.0" encoding="utf-8"?><ink><trace>1 2</trace></ink>'.encode(
        "utf-32"
    ),
    "prefixes": b'<ink xmlns:a="u"><a:trace>1 2</a:trace><trace>7 8</trace></ink>',
    "far": b"<ink><trace>3e38 3e38, -3e38 -3e38</trace></ink>",
    "small": b"<ink><trace>0 0, 1e-45 1e-45</trace></ink>",
    "deep": b"<ink>" + b"<traceGroup>" * 2000 + b"</traceGroup>" * 2000 + b"</ink>",
    "deep_truth": b"<ink><annotation type='truth'>"
    + b"\\frac{" * 2000
    + b"</annotation><trace>1 2</trace></ink>",
    "deep_mathml": b"<ink><annotationXML><math>"
    + b"<mrow>" * 2000
    + b"</mrow>" * 2000
    + b"</math></annotationXML><trace>1 2</trace></ink>",
    "digits": b"<ink><trace>1 " + b"9" * 9999 + b"</trace></ink>",
    "nan": b"<ink><trace>1 nan</trace></ink>",
    "bomb": b'<!DOCTYPE ink [<!ENTITY a "1 2,"><!ENTITY b "&a;&a;">]><ink><trace>&b;</trace></ink>',
    "less_than": b"<ink><annotation type='truth'>$a<b$</annotation><trace>1 2</trace></ink>",
    "stray": b"<ink><annotation type='truth'>x</annotation><trace>"
    + b"0 0, 9 9, " * 20
    + b"5 5</trace><trace>900 900</trace></ink>",
    "empty": b"",
    "no_xml": b"\x89PNG\r\n\x1a\n",
    "nothing": b"<ink></ink>",
}


def test_malformed_inkml_is_reported(tmp_path):
    bad = {f"TestEM2014GT/{name}.inkml": data for name, data in BAD_INKML.items()}
    data = write(tmp_path / "in", release() | bad)
    prepared = CrohmeSource().prepare(tmp_path / "out", str(data))
    found = store(tmp_path / "out")
    assert len(found["train"]) + len(found["validation"]) == 80
    rows = {
        Path(file).stem: (reason, outcome) for file, reason, outcome in problems(tmp_path / "out")
    }
    read = set(BAD_INKML) & set(found["test_2014"])
    assert read == {"shift_jis", "mislabelled", "prefixes", "deep_truth", "less_than", "stray"}
    assert {name for name, (_, outcome) in rows.items() if outcome == "skipped"} == set(
        BAD_INKML
    ) - read
    assert found["test_2014"]["less_than"] == ("a", "<", "b")
    assert rows["stray"] == ("points far away from the formula are skipped: 1", "kept")
    assert "nonsense-5" in rows["unknown"][0]
    assert any(f"{len(rows)} with a problem" in line for line in prepared.lines)
