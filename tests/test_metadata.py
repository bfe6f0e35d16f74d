"""What the package says of itself is what is tested."""

import tomllib
from pathlib import Path

import yaml

HERE = Path(__file__).parents[1]


def test_the_versions_of_python_named_are_those_that_ci_runs():
    project = tomllib.loads((HERE / "pyproject.toml").read_text())["project"]
    named = {
        words[-1]
        for words in (line.split(" :: ") for line in project["classifiers"])
        if words[:-1] == ["Programming Language", "Python"] and "." in words[-1]
    }
    jobs = yaml.safe_load((HERE / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    tested = jobs["run"]["strategy"]["matrix"]["python"]
    assert named == set(tested)
    least = min(tested, key=lambda version: tuple(map(int, version.split("."))))
    assert project["requires-python"] == f">={least}"
