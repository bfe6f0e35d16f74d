"""The queue for a borrowed GPU: rehearsed, interrupted and resumed without TeX, W&B and network."""

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import torch
from tiny_run import im2tex

SCRIPTS = Path(__file__).parents[2] / "scripts"
sys.path.insert(0, str(SCRIPTS))

import quarter_weights  # noqa: E402
from quarter_files import OutFiles  # noqa: E402
from quarter_meter import read_speed  # noqa: E402
from quarter_plan import RUNS, Options  # noqa: E402
from quarter_queue import Queue  # noqa: E402
from quarter_weights import FORMS, WEIGHTS, read_parts, shrink, write_parts  # noqa: E402
from toy_pack import write_toy_pack  # noqa: E402

HIDING = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *rest: None if name in {names} else find(name, *rest)
"""
"""Lets Python not find modules."""


@pytest.fixture(autouse=True)
def temporary(tmp_path, monkeypatch):
    """Keeps the folders of runs with the test's own files."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture(scope="module")
def pack(tmp_path_factory):
    path = tmp_path_factory.mktemp("packs") / "toy.im2tex"
    write_toy_pack(path)
    return path


def run_script(folder, *arguments, missing=("wandb", "mkdocs", "hypothesis"), **variables):
    """Runs the script where modules, TeX and the network are missing."""
    site = folder / "site"
    site.mkdir(exist_ok=True)
    (site / "sitecustomize.py").write_text(HIDING.format(names=set(missing)))
    environment = {
        name: value for name, value in os.environ.items() if not name.startswith("COV_")
    } | {
        "PYTHON": sys.executable,
        "PYTHONPATH": str(site),
        "PATH": "/usr/bin:/bin" if not Path("/usr/bin/latex").exists() else str(_tools(folder)),
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "TMPDIR": str(folder),
        **variables,
    }
    command = ["bash", str(SCRIPTS / "gpu_quarter.sh"), *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def _tools(folder):
    """A folder of the programs that the script itself needs."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name in ("bash", "dirname", "env"):
        if not (tools / name).exists():
            (tools / name).symlink_to(f"/usr/bin/{name}")
    return tools


def options(tmp_path, **changed):
    given = {"pack": tmp_path / "a.im2tex", "out": tmp_path, "seconds": 540.0, "total": 750.0}
    return Options(**given | changed)


def test_rehearsal_is_interrupted_resumed_and_completed(pack, tmp_path):
    out = tmp_path / "out"
    done = run_script(tmp_path, "--rehearse", pack, out, "200", "--runs", "small")
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = done.stdout.split("rehearsal of a call\n")
    assert "probe of small-crohme" in first
    assert "was interrupted: call again" in first
    assert "restored at step" in second
    assert "the queue is complete" in second
    assert "probe of" not in second
    state = json.loads((out / "quarter.json").read_text())
    assert {name: one["status"] for name, one in state["stages"].items()} == {
        "small_pretraining": "done",
        "small": "done",
        "test-small": "done",
    }
    assert set(state["speeds"]) == {"small-handwriting", "small-crohme"}
    names = {path.name for path in out.iterdir()}
    assert names == {"log.txt", "quarter.json", "results.zip", "small.1"}
    with zipfile.ZipFile(out / "results.zip") as archive:
        archive.extractall(tmp_path / "results")
    # Scores from the predictions alone, later.
    predictions = tmp_path / "results" / "results" / "small.test_2014.samples.jsonl"
    flags = ["--references", "crohme:test_2014", "--root", pack, "--engine", "none"]
    assert im2tex("score", "--predictions", predictions, *flags) == 0
    # The weights are an ordinary checkpoint.
    joined = run_script(tmp_path, "--join", tmp_path / "joined", pack, out)
    assert joined.returncode == 0, joined.stderr
    checkpoint = tmp_path / "joined" / "small.ckpt"
    flags = ["--ckpt_path", checkpoint, "--data.root", pack, "--trainer.accelerator", "cpu"]
    assert im2tex("predict", *flags, "--trainer.limit_predict_batches", "2") == 0


def test_missing_packages_are_named(pack, tmp_path):
    done = run_script(tmp_path, pack, tmp_path / "out", missing=("rapidfuzz", "HersheyFonts"))
    assert done.returncode == 2
    assert "lacks Hershey-Fonts, rapidfuzz: carry them as wheels" in done.stderr
    assert "Traceback" not in done.stderr


def test_pack_that_is_cut_off_is_named(pack, tmp_path):
    short = tmp_path / "short.im2tex"
    short.write_bytes(pack.read_bytes()[:200_000])
    done = run_script(tmp_path, "--rehearse", short, tmp_path / "out", "40")
    assert done.returncode == 2
    assert f"gpu_quarter: {short} is damaged or no pack" in done.stderr
    assert "Traceback" not in done.stderr


class DirectCalls:
    """Calls the functions of processes in this one."""

    def run(self, function, *arguments):
        return function(*arguments)


def out_files(tmp_path, said):
    chosen = options(tmp_path, out=tmp_path / "out", runs=["small"])
    chosen.work.mkdir(parents=True, exist_ok=True)
    chosen.out.mkdir(exist_ok=True)
    return OutFiles(chosen, DirectCalls(), said.append)


@pytest.mark.parametrize(("status", "name"), [("running", "resume"), ("done", "small")])
def test_weights_are_copied_and_put_together_on_another_machine(status, name, checkpoint, tmp_path):
    said = []
    files = out_files(tmp_path, said)
    own = files.options.work / "small" / "version_0" / "checkpoints" / "last.ckpt"
    own.parent.mkdir(parents=True)
    shutil.copy(checkpoint, own)
    files.state["stages"] = {
        "small_pretraining": {"status": "done", "steps": 9},
        "small": {"status": status, "steps": 0},
    }
    part = files.options.out / f"{name}.1"
    for spent in (10.0, 20.0):
        files.snapshot(spent)
        assert part.is_file()
        assert len(list(files.options.out.iterdir())) == 3
        part.unlink()  # a folder that is emptied between two calls
    files.snapshot(30.0)
    step = torch.load(checkpoint, weights_only=True)["global_step"]
    assert files.checkpoint("small") == own
    shutil.rmtree(files.options.work)
    again = out_files(tmp_path, said)
    assert again.state["spent"] == 30
    restored = again.checkpoint("small")
    assert torch.load(restored, weights_only=True)["global_step"] == step
    assert again.state["stages"]["small"]["steps"] == step
    assert f"small: restored at step {step}" in said[-1]
    restored.unlink()
    part.write_bytes(part.read_bytes()[:-1])
    assert again.checkpoint("small") is None
    assert f"parts of {name} are missing or damaged" in said[-1]


@pytest.fixture
def state(checkpoint):
    return torch.load(checkpoint, weights_only=True)


@pytest.mark.parametrize("form", FORMS)
def test_form_of_checkpoint_is_resumed_at_its_step(form, state, checkpoint, tmp_path, trained):
    changed = dict(state)
    changed["current_model_state"] = state["state_dict"]
    _, data = shrink(changed, 0, [form])
    record = write_parts(data, tmp_path, "fit")
    restored = read_parts(tmp_path, "fit", record)
    assert restored["global_step"] == state["global_step"] > 0
    for name, weights in state["state_dict"].items():
        assert restored["state_dict"][name].dtype == weights.dtype
        tolerance = 0 if form == "everything" else 1e-2
        torch.testing.assert_close(
            restored["state_dict"][name], weights, rtol=tolerance, atol=tolerance
        )
    moments = restored["optimizer_states"][0]["state"]
    assert bool(moments) == form.startswith("everything")
    assert ("current_model_state" in restored) == (form != WEIGHTS)
    path = tmp_path / "restored.ckpt"
    torch.save(restored, path)
    flags = ["--trainer.max_epochs", "2", "--trainer.default_root_dir", tmp_path / "runs"]
    assert im2tex("fit", "--ckpt_path", path, *flags) == 0
    last = tmp_path / "runs" / "version_0" / "checkpoints" / "last.ckpt"
    assert torch.load(last, weights_only=True)["global_step"] == 2 * state["global_step"]


def test_shrink_takes_the_largest_form_within_the_limit(state):
    sizes = {form: len(shrink(state, 0, [form])[1]) for form in FORMS}
    assert sorted(sizes.values(), reverse=True) == list(sizes.values())
    for form, size in list(sizes.items())[:3]:
        assert shrink(state, size, list(FORMS))[0] == form
    assert shrink(state, 1, list(FORMS))[0] == WEIGHTS


def test_parts_are_bounded_and_a_missing_or_changed_one_is_noticed(state, tmp_path, monkeypatch):
    monkeypatch.setattr(quarter_weights, "PART_BYTES", 5000)
    _, data = shrink(state, 0, ["everything"])
    record = write_parts(data, tmp_path, "resume")
    parts = sorted(tmp_path.iterdir())
    assert len(parts) == record["parts"] == -(-len(data) // 5000)
    assert max(path.stat().st_size for path in parts) == 5000
    assert read_parts(tmp_path, "resume", record) is not None
    content = parts[1].read_bytes()
    parts[1].write_bytes(content[:-1] + b"?")
    assert read_parts(tmp_path, "resume", record) is None
    parts[1].unlink()
    assert read_parts(tmp_path, "resume", record) is None
    write_parts(data[:100], tmp_path, "resume")
    assert [path.name for path in tmp_path.iterdir()] == ["resume.1"]


def test_speed_is_that_of_the_last_two_thirds(tmp_path):
    path = tmp_path / "meter.jsonl"
    assert read_speed(path) is None
    rows = [(0, 0, 1, 0), (3, 1, 10, 40), (7, 2, 22, 88), (10, 3, 38, 152)]
    names = ("seconds", "waited", "steps", "images")
    path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    assert read_speed(path) == pytest.approx((4.0, 16.0, 2 / 7))


def test_budgets_of_waiting_fits_fill_the_time_that_is_left(tmp_path):
    queue = Queue(options(tmp_path))
    queue.state.update(start_s=10.0, test_s=30.0, spent=0.0)
    fits = queue.options.fits
    left = 750 - 20 - 3 * 30 - len(fits) * 10
    assert sum(queue._budget(fit) for fit in fits) == pytest.approx(left, abs=1)
    queue.state["stages"] = {fit.name: {"status": "done"} for fit in RUNS["small"]}
    queue.state["stages"]["test-small"] = {"status": "done"}
    queue.spent_before = 300.0
    left = 750 - 300 - 20 - 2 * 30 - 3 * 10
    assert sum(queue._budget(fit) for fit in fits[2:]) == pytest.approx(left, abs=1)


def test_steps_follow_speed_and_budget_and_end_with_the_configuration(tmp_path):
    queue = Queue(options(tmp_path))
    queue.samples = {"crohme": 8000}
    fit = RUNS["small"][1]
    speed = {"steps_per_s": 10.0, "images_per_s": 200.0}
    assert queue._steps(fit, speed, 100.0, 0) == 900
    assert queue._steps(fit, speed, 100.0, 500) == 1400
    assert queue._steps(fit, speed, 1e6, 0) == 18 * 8000 // 20
