"""The registry: components by name, arguments checked against the constructor's signature."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import pytest

from im2tex.errors import Im2TexError
from im2tex.registry import Registry, check_arguments


class Pen:
    def __init__(
        self,
        width: int = 2,
        scale: float = 1.0,
        ink: str = "black",
        tip: Literal["round", "on", "off"] = "round",
        seed: int | None = None,
        dashes: list[int] = [],  # noqa: B006 - read only
        names: list[str] = [],  # noqa: B006
        box: tuple[int, int] = (1, 1),
        options: dict[str, Any] | None = None,
        wet: bool = False,
    ):
        self.settings = dict(locals())
        del self.settings["self"]
        if width < 0:
            raise ValueError(f"width cannot be negative; got {width}")


class Fountain(Pen):
    """Its constructor is inherited."""


class Brush:
    def __init__(self, paper: str, hairs: int, *rest: Any, **more: Any):
        self.paper, self.hairs = paper, hairs


def pens():
    registry: Registry[Pen] = Registry("pen", group="im2tex.no_such_group", injected=("paper",))
    registry.register("pen")(Pen)
    registry.register("fountain")(Fountain)
    registry.register("brush")(Brush)
    return registry


def test_build_by_name_with_arguments():
    registry = pens()
    assert registry.names() == ["brush", "fountain", "pen"]
    assert registry.get("pen") is Pen
    assert registry.build("pen", {"width": 3}).settings["width"] == 3
    assert registry.build("pen").settings["width"] == 2


def test_register_duplicate_name_raises_with_both_classes():
    registry = pens()
    registry.register("pen")(Pen)  # the same class again says nothing new
    with pytest.raises(
        Im2TexError, match=r"pen 'pen' is registered twice: by .*Pen and by .*Brush"
    ):
        registry.register("pen")(Brush)
    assert registry.get("pen") is Pen


def test_get_unknown_name_lists_known_and_nearest():
    with pytest.raises(Im2TexError) as error:
        pens().build("fontain")
    assert str(error.value) == (
        "unknown pen 'fontain'; did you mean 'fountain'? Known: brush, fountain, pen."
    )
    with pytest.raises(Im2TexError, match=r"unknown pen 'xyz'\. Known: brush, fountain, pen\."):
        pens().get("xyz")


def test_check_unknown_argument_lists_accepted_and_nearest():
    with pytest.raises(Im2TexError) as error:
        pens().build("pen", {"widht": 3})
    assert str(error.value) == (
        "pen 'pen' takes no argument 'widht'; did you mean 'width'? Accepted: width, scale, ink, "
        "tip, seed, dashes, names, box, options, wet."
    )


@pytest.mark.parametrize(
    ("argument", "given", "expected"),
    [
        ("width", "1", 1),
        ("scale", 2, 2.0),
        ("scale", "1e-3", 0.001),  # YAML reads 1e-3, without a point, as a string
        ("ink", 1, "1"),
        ("ink", "null", "null"),
        ("tip", True, "on"),  # YAML reads on as true
        ("tip", False, "off"),
        ("seed", None, None),
        ("seed", "7", 7),
        ("dashes", ["1", 2], [1, 2]),
        ("dashes", "[3, 4]", [3, 4]),
        ("names", [1, 2.5, "x"], ["1", "2.5", "x"]),
        ("box", [8, 16], (8, 16)),
        ("options", {"a": 1, "b": [True]}, {"a": 1, "b": [True]}),
        ("wet", "on", True),
    ],
)
@pytest.mark.parametrize("name", ["pen", "fountain"])
def test_check_converts_values_to_signature(name, argument, given, expected):
    value = pens().check(name, {argument: given})[argument]
    assert value == expected
    assert type(value) is type(expected)


@pytest.mark.parametrize(
    ("argument", "given", "expected"),
    [
        ("width", "two", "expected int, got str"),
        ("width", 1.5, "expected int, got float"),
        ("width", True, "expected int, got bool"),
        ("width", None, "expected int, got None"),
        ("ink", True, "expected str, got bool"),
        ("tip", "square", r"expected Literal\['round', 'on', 'off'\], got str"),
        ("dashes", 3, r"expected list\[int\], got int"),
        ("wet", 1, "expected bool, got int"),
    ],
)
def test_check_value_of_other_type_raises(argument, given, expected):
    with pytest.raises(Im2TexError, match=rf"pen 'pen': argument {argument}=.*: {expected}"):
        pens().check("pen", {argument: given})


def test_check_injected_parameter_raises():
    registry = pens()
    assert list(registry.parameters("brush")) == ["hairs"]  # neither paper nor the catch-alls
    with pytest.raises(Im2TexError, match=r"takes no argument 'paper'\. Accepted: hairs\."):
        registry.build("brush", {"paper": "wove", "hairs": 3}, paper="laid")
    assert registry.build("brush", {"hairs": "3"}, paper="laid").hairs == 3
    # What a constructor does not take is not forced on it.
    assert registry.build("pen", {}, paper="laid").settings["width"] == 2


def test_build_missing_arguments_raises():
    with pytest.raises(Im2TexError, match=r"pen 'brush' needs the argument\(s\) paper, hairs\."):
        pens().build("brush")


def test_build_value_error_is_converted_other_errors_pass():
    with pytest.raises(Im2TexError, match=r"pen 'pen': width cannot be negative; got -1"):
        pens().build("pen", {"width": -1})

    class Broken:
        def __init__(self) -> None:
            len(3)

    registry = pens()
    registry.register("broken")(Broken)
    with pytest.raises(TypeError):
        registry.build("broken")


def test_check_arguments_of_any_class():
    assert check_arguments("the pen", Pen, {"width": "4"}) == {"width": 4}
    assert check_arguments("the pen", Pen, None) == {}


# ------------------------------------------------------------------ packages outside


def install(folder, name, entry_points, code):
    """A package as pip would leave it: a module, and metadata beside it."""
    (folder / f"{name}.py").write_text(code)
    metadata = folder / f"{name}-1.0.dist-info"
    metadata.mkdir()
    (metadata / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(entry_points)


@pytest.fixture
def site(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def outside(**arguments):
    return Registry("pen", group="test_registry.pens", **arguments)


def test_entry_point_registers_component(site):
    install(
        site,
        "quills",
        "[test_registry.pens]\nquill = quills:Quill\n",
        "class Quill:\n    def __init__(self, feather: str = 'goose'):\n"
        "        self.feather = feather\n",
    )
    registry = outside()
    assert registry.names() == ["quill"]
    assert registry.build("quill", {"feather": 1}).feather == "1"
    with pytest.raises(Im2TexError, match="did you mean 'quill'"):
        registry.get("quil")


def test_entry_point_of_broken_package_affects_only_itself(site):
    install(
        site,
        "leaky",
        "[test_registry.pens]\nleaky = leaky:Leaky\nsheet = os:sep\n",
        "import a_module_that_is_not_there\n",
    )
    registry = outside()
    registry.register("pen")(Pen)
    assert registry.build("pen", {}).settings["width"] == 2
    with pytest.raises(Im2TexError) as error:
        registry.get("leaky")
    assert str(error.value) == (
        "pen 'leaky' of package 'leaky' cannot be loaded from leaky:Leaky: ModuleNotFoundError: "
        "No module named 'a_module_that_is_not_there'. Repair or uninstall it."
    )
    with pytest.raises(Im2TexError, match="pen 'sheet': os:sep is not a class"):
        registry.get("sheet")


def test_entry_point_with_taken_name_raises(site):
    install(site, "thief", "[test_registry.pens]\npen = thief:Pen\n", "class Pen:\n    pass\n")
    registry = outside()
    registry.register("pen")(Pen)
    for _ in range(2):  # and not at the second attempt either
        with pytest.raises(Im2TexError, match=r"registered twice: by .*Pen and by thief\.Pen"):
            registry.build("pen")


def test_builtin_module_that_fails_raises_every_time(site):
    (site / "half_done.py").write_text("raise ImportError('half done')\n")
    registry = outside(builtin=("half_done",))
    for _ in range(2):
        with pytest.raises(ImportError, match="half done"):
            registry.names()


BARE = """
import importlib.metadata as metadata, sys
metadata.Distribution.discover = classmethod(lambda cls, **_: iter(()))
import im2tex
assert im2tex.__file__.startswith(sys.argv[1]), im2tex.__file__
from im2tex.commands.components import components
components()
"""


def test_builtin_components_need_no_package_metadata(tmp_path):
    import im2tex

    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(im2tex.__file__).parent, tmp_path / "im2tex", ignore=ignored)
    done = subprocess.run(
        [sys.executable, "-c", BARE, str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    names = {line.strip().split("(")[0] for line in done.stdout.splitlines()}
    assert {"row_cnn", "standard", "lstm", "crohme", "grammar", "folder"} <= names
    assert {"sgd", "adamw", "plateau", "cosine", "constant"} <= names
    assert "grid_width" not in done.stdout  # what the program supplies is not offered
