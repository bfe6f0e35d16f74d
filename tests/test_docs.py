"""README and docs: their files, settings, commands and examples exist and work.

The examples of an encoder are run in `test_outside_encoder`.
"""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from PIL import Image, ImageDraw

from im2tex.commands.trainer.early_checks import is_known_flag

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TRAINER = {"fit", "validate", "test", "predict"}


def name(page: Path) -> str:
    return str(page.relative_to(ROOT))


def blocks(page: Path, language: str) -> list[str]:
    text = page.read_text(encoding="utf-8")
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(page: Path) -> list[list[str]]:
    """The arguments of every `im2tex` command in a page, from blocks, tables and sentences."""
    lines = "\n".join(blocks(page, "bash")).replace("\\\n", " ").splitlines()
    inline = re.findall(r"`(im2tex [^`\n]+)`", page.read_text(encoding="utf-8"))
    found = []
    for line in [*lines, *inline]:
        for part in re.split(r"&&|\|", line):
            at = re.match(r"\s*(?:srun )?im2tex ([^#…]+)", part)
            if at:
                found.append(shlex.split(at[1]))
    return found


WITH_COMMANDS = [page for page in PAGES if commands(page)]


def test_readme_has_the_two_commands_of_a_fresh_machine():
    assert "pip install -e . && im2tex fit --config configs/quickstart.yaml\n" in README
    assert 'pip install -e ".[test]" && pytest\n' in README


def test_readme_has_at_most_150_lines():
    assert len(README.splitlines()) <= 150


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_links_of_a_page_lead_to_files(page):
    links = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    for link in links:
        assert (page.parent / link).exists(), link


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_configurations_and_scripts_named_in_a_page_exist(page):
    text = page.read_text(encoding="utf-8")
    folders = "configs|benchmarks|results|notebooks|scripts"
    for file in re.findall(rf"\b(?:{folders})/\w[\w/]*\.\w+", text):
        if "NAME" not in file:
            assert (ROOT / file).exists(), file


def test_every_configuration_is_documented():
    text = (ROOT / "docs" / "configurations.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(\w+\.yaml)`", text))
    assert named >= {path.name for path in (ROOT / "configs").glob("*.yaml")}


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_runs_named_in_a_page_are_those_of_its_configurations(page):
    for run in set(re.findall(r"runs/(\w+)/version_0", page.read_text(encoding="utf-8"))):
        if run != "NAME":
            config = yaml.safe_load((ROOT / "configs" / f"{run}.yaml").read_text(encoding="utf-8"))
            assert config["trainer"]["default_root_dir"] == f"runs/{run}"


@pytest.mark.parametrize("page", WITH_COMMANDS, ids=name)
def test_flags_of_trainer_commands_are_known(page):
    for command in commands(page):
        if command[0] in TRAINER:
            for argument in command[1:]:
                assert not argument.startswith("--") or is_known_flag(argument), argument


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_settings_named_in_a_page_are_known(page):
    text = page.read_text(encoding="utf-8")
    for setting in re.findall(r"`(?:--)?((?:model|data|trainer|checkpoint)\.\w+)", text):
        assert is_known_flag(f"--{setting}"), setting


PYTHON = [
    (page, block)
    for page in PAGES
    for block in blocks(page, "python")
    if "ENCODERS.register" not in block
]


@pytest.mark.parametrize(("page", "block"), PYTHON, ids=[name(page) for page, _ in PYTHON])
def test_python_examples_run(page, block, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    for file in ("photo.png", "scan.png"):
        image = Image.new("L", (120, 60), 255)
        ImageDraw.Draw(image).line([(20, 45), (60, 15), (100, 45)], fill=0, width=4)
        image.save(file)
    exec(compile(block, name(page), "exec"), {})
    printed = capsys.readouterr().out.splitlines()
    assert len(printed) == (2 if "print(" in block else 0)  # one line for each image


def test_sweep_of_the_docs_is_one():
    (sweep,) = (yaml.safe_load(block) for block in blocks(ROOT / "docs" / "sweeps.md", "yaml"))
    assert sweep["command"][-1] == "${args}"
    assert sweep["command"].index("--config") < sweep["command"].index("${args}")
    assert sweep["metric"]["name"] == "val/perplexity"
    assert all(None not in values.get("values", []) for values in sweep["parameters"].values())
    for setting in sweep["parameters"]:
        assert is_known_flag(f"--{setting}"), setting
