"""Packs: the same values come back, and nothing else is taken from a file."""

import io
import json
import os
import tarfile
from hashlib import sha256

import numpy as np
import pyarrow.parquet as pq
import pytest
from ink_factory import png, row
from tiny_run import TINY, config, im2tex

from im2tex.data.pack import MANIFEST, Pack, open_root
from im2tex.data.packing import write_pack
from im2tex.data.sample import Sample
from im2tex.data.store import Split, write_split
from im2tex.errors import Im2TexError
from im2tex.ink.glyphs import GlyphBank, built_in_bank
from im2tex.ink.ink import Ink

# Float values whose bits a conversion would change.
FLOATS = np.array([(-0.0, 1e-42), (0.1, 16_777_217.0), (1e36, -1.5)], np.float32)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def root(tmp_path):
    """A data root with two splits of a source and a glyph bank."""
    root = tmp_path / "data"
    samples = [
        *(Sample(f"{n}", "x", ("x",), Ink((FLOATS * n,))) for n in range(1, 40)),
        row("abc"),
        Sample("picture", "x", ("x",), image=png(np.eye(9, dtype=np.uint8) * 255)),
    ]
    write_split(root / "crohme" / "train.parquet", samples, {"licence": "none", "settings": {}})
    write_split(root / "crohme" / "validation.parquet", samples[:3], {})
    (root / "crohme" / ".arrow").mkdir()
    (root / "crohme" / ".arrow" / "train.samples.arrow").write_text("a cache")
    write_split(root / "handwriting" / "train.parquet", samples, {"settings": {"count": 41}})
    built_in_bank().save(root / "glyphs" / "bank.parquet")
    return root


@pytest.fixture
def pack(root, tmp_path):
    path = tmp_path / "small.im2tex"
    write_pack(path, root, ["crohme", "handwriting"])
    return path


def members(path):
    """The members of a tar archive, as (name, content)."""
    with tarfile.open(path) as archive:
        return [(info.name, archive.extractfile(info).read()) for info in archive]


def rewrite(path, entries):
    """A tar archive of (name or header, content)."""
    with tarfile.open(path, "w") as archive:
        for name, content in entries:
            info = name if isinstance(name, tarfile.TarInfo) else tarfile.TarInfo(name)
            info.size = len(content) if info.isreg() else 0
            archive.addfile(info, io.BytesIO(content) if info.isreg() else None)


def with_manifest(entries, change):
    """The members of a pack, with the files of the manifest changed by a function."""
    (name, text), *others = entries
    manifest = json.loads(text)
    change(manifest)
    return [(name, json.dumps(manifest).encode()), *others]


def test_pack_files_are_unpacked_with_equal_bits(root, pack):
    unpacked = open_root(pack)
    files = [file.path for file in Pack(pack).files]
    assert files == [
        "crohme/train.parquet",
        "crohme/validation.parquet",
        "glyphs/bank.parquet",
        "handwriting/train.parquet",
    ]
    assert sorted(p.relative_to(unpacked).as_posix() for p in unpacked.rglob("*.*")) == files
    for name in files:
        before, after = pq.read_table(root / name), pq.read_table(unpacked / name)
        assert after.equals(before, check_metadata=True)
    first = Split(unpacked / "crohme" / "train.parquet")[0]
    assert first.ink.strokes[0].tobytes() == FLOATS.tobytes()
    bank, again = built_in_bank(), GlyphBank.load(unpacked / "glyphs" / "bank.parquet")
    assert again.tokens == bank.tokens


def test_pack_of_equal_data_is_an_equal_file(root, pack, tmp_path):
    write_pack(tmp_path / "again.im2tex", root, ["handwriting", "crohme"])
    assert (tmp_path / "again.im2tex").read_bytes() == pack.read_bytes()


def test_pack_manifest_notes_samples_licence_and_settings(pack):
    files = {file.path: file for file in Pack(pack).files}
    train = files["crohme/train.parquet"]
    assert train.notes["samples"] == 41
    assert train.notes["licence"] == "none"
    assert train.sha256 == sha256(dict(members(pack))["crohme/train.parquet"]).hexdigest()
    assert Pack(pack).settings("handwriting") == {"count": 41}
    assert Pack(pack).settings("grammar") == {}


def test_pack_is_unpacked_once_and_again_after_a_change(pack):
    folder = open_root(pack)
    file = folder / "crohme" / "train.parquet"
    made = file.stat().st_mtime_ns
    assert open_root(pack) == folder
    assert file.stat().st_mtime_ns == made
    file.write_bytes(b"")
    assert len(Split(open_root(pack) / "crohme" / "train.parquet")) == 41
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


@pytest.mark.parametrize("source", ["grammar", "nothing"])
def test_pack_of_unprepared_source_raises(root, tmp_path, source, capsys):
    status = im2tex("data", "pack", source, "--root", root, "--out", tmp_path / "a.im2tex")
    assert status == 2
    assert source in capsys.readouterr().err
    assert not (tmp_path / "a.im2tex").exists()


def test_pack_of_damaged_store_raises_and_keeps_the_earlier_pack(root, pack, capsys):
    before = pack.read_bytes()
    store = root / "crohme" / "train.parquet"
    store.write_bytes(store.read_bytes()[:-50])
    assert im2tex("data", "pack", "crohme", "--root", root, "--out", pack) == 2
    assert f"cannot read {store}" in capsys.readouterr().err
    assert pack.read_bytes() == before


def test_truncated_pack_raises_at_every_length(pack, cache):
    content = pack.read_bytes()
    end = 512 * 2  # of zeros after the last member's padding
    lengths = [0, 1, 300, 512, 700, 2000, 5000, len(content) // 2, len(content) - 12_000 - end]
    for length in lengths:
        pack.write_bytes(content[:length])
        with pytest.raises(Im2TexError, match="damaged or no pack") as error:
            open_root(pack)
        assert str(pack) in str(error.value)
        assert "\n" not in str(error.value)
    assert not list(cache.rglob("*.parquet"))


def test_pack_with_a_changed_byte_raises_or_is_equal(pack, tmp_path, monkeypatch):
    content = pack.read_bytes()
    expected = {name: data for name, data in members(pack) if name != MANIFEST}
    for number, place in enumerate(range(7, len(content), max(1, len(content) // 60))):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches" / str(number)))
        pack.write_bytes(content[:place] + bytes([content[place] ^ 0x41]) + content[place + 1 :])
        try:
            folder = open_root(pack)
        except Im2TexError as error:
            message = str(error)
            assert not list((tmp_path / "caches" / str(number)).rglob("*.parquet"))
        else:
            message = ""
            assert {name: (folder / name).read_bytes() for name in expected} == expected
        assert "\n" not in message


def test_hostile_packs_raise_and_write_nothing(pack, tmp_path):
    entries = members(pack)
    (manifest, text), (first, content), *others = entries
    link = tarfile.TarInfo(first)
    link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"

    def rename(path):
        def change(manifest):
            manifest["files"][0]["path"] = path

        return [with_manifest(entries, change)[0], (path, content), *others]

    def resize(size):
        def change(manifest):
            manifest["files"][0]["bytes"] = size

        return with_manifest(entries, change)

    hostile = {
        "parent": rename("../crohme.parquet"),
        "absolute": rename("/tmp/crohme.parquet"),
        "nested": rename("crohme/../../train.parquet"),
        "hidden": rename("crohme/.train.parquet"),
        "other kind": rename("crohme/train.py"),
        "twice": rename("crohme/validation.parquet"),
        "link": [(manifest, text), (link, b""), *others],
        "other name": [(manifest, text), ("crohme/other.parquet", content), *others],
        "missing": [(manifest, text), (first, content)],
        "larger than its manifest": [(manifest, text), (first, content + b"x"), *others],
        "other content": [(manifest, text), (first, bytes(len(content))), *others],
        "larger than the file": resize(1 << 40),
        "negative": resize(-1),
        "no number": resize(True),
        "no manifest": [(first, content), *others],
        "large manifest": [(manifest, text + b" " * (1 << 20)), (first, content), *others],
        "no JSON": [(manifest, b"["), (first, content)],
        "a list": [(manifest, b"[]"), (first, content)],
        "no files": [(manifest, b'{"format": 1}')],
        "wrong settings": with_manifest(
            entries, lambda m: m["files"][0].update(notes={"settings": 7})
        ),
        "unknown entry": with_manifest(entries, lambda m: m["files"][0].update(mode=7)),
    }
    before = sorted(tmp_path.rglob("*.parquet"))
    for problem, changed in hostile.items():
        rewrite(pack, changed)
        with pytest.raises(Im2TexError, match="damaged or no pack"):
            print(problem, open_root(pack))
        assert sorted(tmp_path.rglob("*.parquet")) == before, problem


def test_pack_of_another_format_raises(pack):
    rewrite(pack, with_manifest(members(pack), lambda manifest: manifest.update(format=2)))
    with pytest.raises(Im2TexError, match=r"has pack format '?2'?; this version reads 1"):
        Pack(pack)


def test_pack_that_is_no_file_raises(tmp_path):
    with pytest.raises(Im2TexError, match=r"gone\.im2tex does not exist: set data\.root to"):
        open_root(tmp_path / "gone.im2tex")
    os.mkfifo(tmp_path / "pipe.im2tex")
    with pytest.raises(Im2TexError, match=r"pipe\.im2tex is no regular file"):
        open_root(tmp_path / "pipe.im2tex")


def test_folder_with_the_name_of_a_pack_is_a_data_root(root, tmp_path):
    folder = root.rename(tmp_path / "unpacked.im2tex")
    assert open_root(folder) == folder


def test_cache_that_cannot_be_written_raises_with_a_way_out(pack, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(Im2TexError, match="set XDG_CACHE_HOME to another folder"):
        open_root(pack)


def test_fit_and_test_from_a_pack(trained, tmp_path, capsys):
    path = tmp_path / "grammar.im2tex"
    assert im2tex("data", "pack", "grammar", "--root", trained / "data", "--out", path) == 0
    assert "grammar/train.parquet: 40 samples" in capsys.readouterr().out
    flags = ["--data.root", path, "--trainer.default_root_dir", tmp_path / "runs"]
    assert im2tex("fit", "--config", config(tmp_path, TINY), *flags) == 0
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert im2tex("test", "--ckpt_path", last, "--report.engine", "none") == 0
    assert "8" in capsys.readouterr().out
    assert not (tmp_path / "data" / "grammar").exists()
    sheet = tmp_path / "sheet.png"
    assert im2tex("data", "show", "grammar:test", "--root", path, "--out", sheet) == 0
    assert sheet.stat().st_size > 0
