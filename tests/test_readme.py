"""The README tells the truth: its files exist, its flags are known, its Python names what there is.

Its example of an encoder is run in `test_outside_encoder`.
"""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", TEXT, re.DOTALL)


def test_the_two_commands_are_there():
    assert "pip install -e . && im2tex fit --config configs/quickstart.yaml\n" in TEXT
    assert 'pip install -e ".[test]" && pytest\n' in TEXT


def test_every_file_it_names_exists():
    links = re.findall(r"\]\(([^)#:]+)\)", TEXT)
    configs = re.findall(r"configs/\w+\.yaml", TEXT)
    named = re.findall(r"^\| `(\w+\.yaml)` \|", TEXT, re.MULTILINE)
    assert links
    assert configs
    for name in {*links, *configs, *(f"configs/{name}" for name in named)}:
        assert (ROOT / name).exists(), name


def test_runs_lie_where_it_says():
    names = set(re.findall(r"runs/(\w+)/version_0", TEXT))
    assert "quickstart" in names
    for name in names:
        config = yaml.safe_load((ROOT / "configs" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert config["trainer"]["default_root_dir"] == f"runs/{name}"


def test_the_python_example_uses_what_there_is():
    from im2tex import Im2Tex, Recognizer
    from im2tex.model.prediction import Prediction

    assert callable(Im2Tex)
    assert callable(Recognizer.from_pretrained)
    assert callable(Recognizer.predict)
    assert {"latex", "score"} <= set(Prediction._fields)


def test_every_flag_is_known(capsys):
    from im2tex.cli import main

    flags = set(re.findall(r"--((?:model|data|trainer|report|ema)[\w.]*)", TEXT))
    assert "model.beam_size" in flags
    with pytest.raises(SystemExit):
        main(["fit", "--help"])
    text = capsys.readouterr().out
    for flag in flags:
        # The arguments of a component or a logger are its own: its name is what the help lists.
        name = re.sub(r"(_args|trainer\.logger)\..*", r"\1", flag)
        assert re.search(rf"--{re.escape(name)}\b", text), flag


def test_the_sweep_is_one():
    (sweep,) = (yaml.safe_load(block) for block in blocks("yaml"))
    assert sweep["command"][-1] == "${args}"
    assert sweep["command"].index("--config") < sweep["command"].index("${args}")
    assert sweep["metric"]["name"] == "val/perplexity"
    assert all(None not in p.get("values", []) for p in sweep["parameters"].values())
