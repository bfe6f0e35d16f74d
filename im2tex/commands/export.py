"""`im2tex export`: writes the model of a checkpoint as a small folder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from im2tex.errors import Im2TexError
from im2tex.renames import current_components, current_settings
from im2tex.utils.files import write_text_atomic

if TYPE_CHECKING:
    from im2tex.model.ensemble import EnsembleOptions


def export(
    *,
    ckpt_path: Path,
    folder: Path,
    result: Sequence[Path] = (),
    trained_on: Sequence[str] = (),
    ensemble: Sequence[Path] = (),
    scales: Sequence[float] = (1.0,),
) -> None:
    """Writes a model for `im2tex read`: settings, weights in half precision, model card, licence.

    Args:
        ckpt_path: checkpoint of the model.
        folder: folder to write to.
        result: JSON file of a test of this model, for the model card.
        trained_on: further training data with its licence, such as that of a pretraining.
        ensemble: checkpoint of another model with the same vocabulary; the probabilities are
            averaged.
        scales: scales of each image over which probabilities are averaged, such as 0.8 1 1.25.

    Raises:
        Im2TexError: if a file cannot be read or written, or a result is that of another model.
    """
    from im2tex.evaluation.reports.model_card import licence, model_card
    from im2tex.evaluation.results import read_result
    from im2tex.model.ensemble import EnsembleOptions
    from im2tex.model.pretrained import read_stored
    from im2tex.model.recognizer import Recognizer, combine

    options = EnsembleOptions([str(path) for path in ensemble], scales)
    stored = read_stored(ckpt_path)
    model = combine(Recognizer.from_stored(stored), options)
    tests = [read_result(path) for path in result]
    for test, path in zip(tests, result, strict=True):
        _check_model(test, path, stored.settings, options)
    sources = _sources(stored.data, tests) + list(trained_on)
    size = model.save_pretrained(folder, data=stored.data)
    tables = [path.with_suffix(".md") for path in result]
    card = model_card(
        name=folder.resolve().name,
        settings=stored.settings,
        parameters=sum(p.numel() for p in model.parameters()),
        ensemble=options.describe(),
        sources=sources,
        tests=[
            (test, table.read_text(encoding="utf-8") if table.exists() else "")
            for test, table in zip(tests, tables, strict=True)
        ],
    )
    write_text_atomic(folder / "README.md", card)
    write_text_atomic(folder / "LICENSE", licence(sources))
    print(f"{folder}: {size / 2**20:.1f} MiB of weights. Try `im2tex read IMAGE --model {folder}`.")


def _check_model(
    test: Mapping[str, Any], path: Path, settings: Mapping[str, Any], options: EnsembleOptions
) -> None:
    """Checks that a test used this architecture, ensemble and scales.

    Raises:
        Im2TexError: if it is not.
    """
    tested = current_components(current_settings(test.get("config", {}))[0]).get("model", {})
    for name in ("encoder", "encoder_args", "attention", "decoder", "decoder_args"):
        if tested.get(name) != settings.get(name):
            raise Im2TexError(
                f"{path} is the result of another model: its {name} is {tested.get(name)!r}, the "
                f"checkpoint's {settings.get(name)!r}."
            )
    search = test.get("signatures", {}).get("beam", "")
    expected = "" if options.is_single_model else f", {options})"
    if not (search.endswith(expected) if expected else "models=" not in search):
        raise Im2TexError(
            f"{path} is the result of another ensemble: its search was {search}, that of this "
            f"model has {options}. Give --ensemble and --scales as in the test."
        )


def _sources(data: Mapping[str, Any], tests: Sequence[Mapping[str, Any]]) -> list[str]:
    """The training source, with its licence if a tested split states it."""
    name = str(data.get("source", "unknown"))
    for test in tests:
        for metadata in test.get("data", {}).get("stores", {}).values():
            if metadata.get("source") == name and metadata.get("licence"):
                return [f"{name} ({metadata['licence']})"]
    return [name]
