"""What the package says of itself is what is tested."""

import tomllib
from pathlib import Path

import yaml

HERE = Path(__file__).parents[1]


def test_python_versions_of_metadata_are_those_of_ci():
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


def test_package_data_includes_all_data_files():
    """A model that reads with others has folders within its own."""
    tools = tomllib.loads((HERE / "pyproject.toml").read_text())["tool"]
    package = HERE / "im2tex"
    carried = {
        path
        for pattern in tools["setuptools"]["package-data"]["im2tex"]
        for path in package.glob(pattern)
        if path.is_file()
    }
    lying = {
        path
        for path in package.rglob("*")
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
    }
    assert carried == lying
