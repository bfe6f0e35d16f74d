"""`im2tex export`: writes the model of a checkpoint as a small folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from im2tex.data.licences import describe_licences
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
    scales: Sequence[float] = (),
) -> None:
    """Writes a model for `im2tex read`: settings, weights in half precision, model card, licence.

    The licence lists the data that the model and those it started from were trained on, as their
    checkpoints state them.

    Args:
        ckpt_path: checkpoint, exported folder, or packaged model.
        folder: folder to write to.
        result: JSON file of a test of this model, for the model card.
        trained_on: further training data with its licence, such as that of a pretraining.
        ensemble: another model with the same vocabulary, whose probabilities are averaged with
            those of the model; the other models of an exported ensemble if not given.
        scales: scales of each image over which probabilities are averaged, such as 0.8 1 1.25;
            those of an exported model, or 1, if not given.

    Raises:
        Im2TexError: if a file cannot be read or written, or a result is that of another model.
    """
    from im2tex.evaluation.reports.model_card import licence, model_card
    from im2tex.evaluation.results import read_result
    from im2tex.model.ensemble import EnsembleOptions
    from im2tex.model.pretrained import read_stored
    from im2tex.model.recognizer import Recognizer, combine

    stored = read_stored(ckpt_path)
    others = [str(path) for path in ensemble] or stored.members
    options = EnsembleOptions(others, scales or stored.scales)
    model = combine(Recognizer.from_stored(stored), options)
    tests = [read_result(path) for path in result]
    for test, path in zip(tests, result, strict=True):
        _check_model(test, path, stored.settings, options)
    sources = list(dict.fromkeys([*_with_licences(model.training_data, tests), *trained_on]))
    size = model.save_pretrained(folder, data=stored.data, training_data=sources)
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


def _with_licences(sources: Sequence[str], tests: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The training data; of older models, with the licences that the tested splits state."""
    stores = [store for test in tests for store in test.get("data", {}).get("stores", {}).values()]
    known = {store.get("source"): store for store in stores if store.get("licence")}
    for source in sources:
        yield from describe_licences(known[source]) if source in known else [source]
