"""Result files: their content, and that they are written atomically."""

import dataclasses
import json
import math
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch

from im2tex.errors import Im2TexError
from im2tex.evaluation import environment
from im2tex.evaluation.environment import (
    command_line,
    current_commit,
    describe_environment,
    environment_line,
)
from im2tex.evaluation.results import (
    RunResult,
    SampleResult,
    read_result,
    read_samples,
    result_path,
    write_samples,
)

KEYS = {
    "command",
    "config",
    "commit",
    "data",
    "seed",
    "machine",
    "date",
    "wall_time_s",
    "metrics",
    "signatures",
}


def a_result(**changes):
    return RunResult(
        **{
            "command": command_line(["test", "--ckpt_path", "a b.ckpt"]),
            "config": {"data": {"root": Path("data")}, "lr": np.float32(0.5), "grid": (8, 8)},
            "data": {"source": "grammar", "splits": {"test": 3}, "filter": "none"},
            "seed": 1,
            "metrics": {"test": {"token_exact": torch.tensor(0.5), "bleu": math.nan}},
            "wall_time_s": 12.5,
            "signatures": {"bleu": "nrefs:1"},
        }
        | changes
    )


def test_run_result_saved_is_read_again(tmp_path):
    path = result_path(tmp_path, "crohme", "small-1")
    assert path == tmp_path / "crohme" / "small-1.json"
    samples = [
        SampleResult.of("a", ["x", "^", "2"], ["x", "^", "z"], score=-1.5, image_match=False),
        SampleResult.of("b", ["é"], None, failed_at="decode"),
    ]
    a_result().save(path, {"test_2014": samples})
    record = read_result(path)
    assert record.keys() >= KEYS
    assert record["command"] == "im2tex test --ckpt_path 'a b.ckpt'"
    assert record["config"] == {"data": {"root": "data"}, "lr": 0.5, "grid": [8, 8]}
    assert record["metrics"] == {"test": {"token_exact": 0.5, "bleu": None}}
    assert record["samples"] == {"test_2014": "small-1.test_2014.samples.jsonl"}
    assert record["date"][10] == "T"
    assert record["machine"]["cores"] >= 1
    read = list(read_samples(path.with_name(record["samples"]["test_2014"])))
    for before, after in zip(samples, read, strict=True):
        assert dataclasses.replace(after, metrics=before.metrics) == before
        # The counts of BLEU are not stored.
        assert after.metrics.items() <= before.metrics.items()
        assert not any(name.startswith("bleu") for name in after.metrics)
    assert read[0].metrics["token_edits"] == read[0].metrics["expression_errors"] == 1
    assert read[0].metrics["image_match"] is read[1].metrics["token_within_3"] is False
    assert sorted(p.name for p in path.parent.iterdir()) == [
        "small-1.json",
        "small-1.test_2014.samples.jsonl",
    ]


def test_sample_result_of_missing_prediction_and_label_is_wrong():
    assert SampleResult.of("a", [], None).metrics["token_exact"] is False


@pytest.mark.parametrize("name", ["../x", "a/b", "", ".hidden", "a b"])
def test_result_path_name_that_is_no_file_name_is_an_error(tmp_path, name):
    with pytest.raises(Im2TexError, match="names a file"):
        result_path(tmp_path, "study", name)


def test_run_result_save_into_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Im2TexError, match="cannot write"):
        a_result().save(tmp_path / "file" / "x.json")
    with pytest.raises(Im2TexError, match="cannot write"):
        write_samples(tmp_path / "file" / "x.jsonl", [])


def test_run_result_save_on_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = a_result().save(tmp_path / "x.json")
    before = path.read_text()

    def full(self, text, encoding):
        with self.open("w", encoding=encoding) as file:
            file.write(text[: len(text) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(Im2TexError, match="No space left"):
        a_result(seed=2).save(path)
    assert path.read_text() == before
    assert list(tmp_path.iterdir()) == [path]


def test_read_result_of_another_file_is_an_error(tmp_path):
    with pytest.raises(Im2TexError, match="cannot read"):
        read_result(tmp_path / "none.json")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(Im2TexError, match="no result file"):
        read_result(tmp_path / "x.json")
    (tmp_path / "x.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(Im2TexError, match="format 99"):
        read_result(tmp_path / "x.json")
    (tmp_path / "x.jsonl").write_text('{"key": "a"}\n')
    with pytest.raises(Im2TexError, match="line 1"):
        list(read_samples(tmp_path / "x.jsonl"))


def test_current_commit_is_that_of_this_package_only(tmp_path, monkeypatch):
    def git(*arguments):
        subprocess.run(
            ["git", "-c", "user.name=n", "-c", "user.email=e", *arguments],
            cwd=tmp_path,
            check=True,
            capture_output=True,
        )

    module = tmp_path / "package" / "module.py"
    module.parent.mkdir()
    module.write_text("")
    monkeypatch.setattr(environment, "__file__", str(module))
    assert current_commit() is None  # no repository
    git("init")
    git("commit", "--allow-empty", "-m", "theirs")
    assert current_commit() is None  # installed inside of somebody's repository
    git("add", "package/module.py")
    git("commit", "-m", "ours")
    commit = current_commit()
    assert commit is not None
    assert len(commit) == 40
    module.write_text("changed")
    assert current_commit() == f"{commit}-dirty"
    monkeypatch.setenv("PATH", "")
    assert current_commit() is None  # no git


def test_describe_environment_is_json_and_one_line():
    machine = describe_environment()
    assert json.loads(json.dumps(machine)) == machine
    line = environment_line({"cores": 1, "cpu": "A", "memory_gib": None, "gpus": [{"name": "G"}]})
    assert line == "1 core, A, memory unknown, G"
