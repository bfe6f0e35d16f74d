"""`im2tex export`: a checkpoint's model as a folder to use and to pass on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.reports.model_card import licence, model_card
from im2tex.evaluation.results import read_result
from im2tex.model.ensemble import EnsembleOptions
from im2tex.model.pretrained import read_stored
from im2tex.model.recognizer import Recognizer, combine
from im2tex.utils.files import atomic_write


def export(
    checkpoint: Path,
    folder: Path,
    results: Sequence[Path],
    trained_on: Sequence[str] = (),
    ensemble: Sequence[Path] = (),
    views: Sequence[float] | None = None,
) -> str:
    """Writes `config.json`, `model.safetensors`, `README.md` (the model card) and `LICENSE`.

    Args:
        checkpoint: of a run.
        folder: where to.
        results: result files of tests of this checkpoint, shown in the card.
        trained_on: data that the weights also come from, each with its licence, such as those of
            a pretraining.
        ensemble: checkpoints of models that read with it, see `EnsembleOptions`.
        views: sizes in which they see a picture, see `EnsembleOptions`.

    Returns:
        What was written, for a person to read.

    Raises:
        Im2TexError: if a file cannot be read or written, or a result is another checkpoint's.
    """
    options = EnsembleOptions([str(path) for path in ensemble], [*views] if views else (1.0,))
    stored = read_stored(checkpoint)
    model = combine(Recognizer.from_stored(stored), options)
    tests = [_of_this(read_result(path), path, stored.settings, options) for path in results]
    sources = _sources(stored.data, tests) + list(trained_on)
    weights = model.save_pretrained(folder, data=stored.data)
    tables = [path.with_suffix(".md") for path in results]
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
    try:
        for name, text in (("README.md", card), ("LICENSE", licence(sources))):
            with atomic_write(folder / name) as part:
                part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Im2TexError(f"cannot write {folder}: {error.strerror or error}.") from error
    return (
        f"{folder}: {weights / 2**20:.1f} MiB of weights. Try `im2tex read IMAGE --model {folder}`."
    )


def _of_this(
    result: dict[str, Any], path: Path, settings: dict[str, Any], options: EnsembleOptions
) -> dict[str, Any]:
    tested = result.get("config", {}).get("model", {})
    for name in ("encoder", "encoder_args", "attention", "decoder", "decoder_args"):
        if tested.get(name) != settings.get(name):
            raise Im2TexError(
                f"{path} is the result of another model: its {name} is {tested.get(name)!r}, the "
                f"checkpoint's {settings.get(name)!r}."
            )
    said = result.get("signatures", {}).get("beam", "")
    together = "" if options.is_single_model else f", {options})"
    if not (said.endswith(together) if together else "models=" not in said):
        raise Im2TexError(
            f"{path} is the result of another way of reading: its search was {said}, and this "
            f"model reads with {options}. Give --ensemble and --views as the test had them."
        )
    return result


def _sources(data: Mapping[str, Any], tests: Sequence[dict[str, Any]]) -> list[str]:
    """The training source, with its licence where a store of it that was tested says so."""
    name = str(data.get("source", "unknown"))
    for test in tests:
        for about in test.get("data", {}).get("stores", {}).values():
            if about.get("source") == name and about.get("licence"):
                return [f"{name} ({about['licence']})"]
    return [name]
