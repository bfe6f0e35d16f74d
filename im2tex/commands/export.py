"""`im2tex export`: a checkpoint's model as a folder to use and to pass on."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from im2tex.errors import Im2TexError
from im2tex.evaluation.reports.model_card import licence, model_card
from im2tex.evaluation.results import read_result
from im2tex.model.checkpoint import load
from im2tex.model.checkpoint_contents import rebuilt
from im2tex.training.module import Im2Tex
from im2tex.utils.files import replacing


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
        ensemble: checkpoints of models that read with it, see `Im2Tex`.
        views: sizes in which they see a picture, see `Im2Tex`.

    Returns:
        What was written, for a person to read.

    Raises:
        Im2TexError: if a file cannot be read or written, or a result is another checkpoint's.
    """
    content = load(checkpoint)
    settings = {k: v for k, v in content["hyper_parameters"].items() if not k.startswith("_")}
    use = {"ensemble": [str(path) for path in ensemble], "views": [*views] if views else None}
    model = rebuilt(Im2Tex, settings, content["state_dict"], str(checkpoint), use=use)
    tests = [_of_this(read_result(path), path, settings, model) for path in results]
    data = content.get("datamodule_hyper_parameters", {})
    sources = _sources(data, tests) + list(trained_on)
    models = [model, *model.company.others(model)]
    weights = model.save_pretrained(folder)
    tables = [path.with_suffix(".md") for path in results]
    card = model_card(
        name=folder.resolve().name,
        settings=settings,
        parameters=sum(p.numel() for one in models for p in one.parameters()),
        company=model.company.in_words(),
        sources=sources,
        tests=[
            (test, table.read_text(encoding="utf-8") if table.exists() else "")
            for test, table in zip(tests, tables, strict=True)
        ],
    )
    try:
        for name, text in (("README.md", card), ("LICENSE", licence(sources))):
            with replacing(folder / name) as part:
                part.write_text(text, encoding="utf-8")
    except OSError as error:
        raise Im2TexError(f"cannot write {folder}: {error.strerror or error}.") from error
    return (
        f"{folder}: {weights / 2**20:.1f} MiB of weights. Try `im2tex read IMAGE --model {folder}`."
    )


def _of_this(
    result: dict[str, Any], path: Path, settings: dict[str, Any], model: Im2Tex
) -> dict[str, Any]:
    tested = result.get("config", {}).get("model", {})
    for name in ("encoder", "encoder_args", "attention", "decoder", "decoder_args"):
        if tested.get(name) != settings.get(name):
            raise Im2TexError(
                f"{path} is the result of another model: its {name} is {tested.get(name)!r}, the "
                f"checkpoint's {settings.get(name)!r}."
            )
    said = result.get("signatures", {}).get("beam", "")
    together = "" if model.company.alone else f", {model.company})"
    if not (said.endswith(together) if together else "models=" not in said):
        raise Im2TexError(
            f"{path} is the result of another way of reading: its search was {said}, and this "
            f"model reads with {model.company}. Give --ensemble and --views as the test had them."
        )
    return result


def _sources(data: dict[str, Any], tests: Sequence[dict[str, Any]]) -> list[str]:
    """The training source, with its licence where a store of it that was tested says so."""
    name = str(data.get("source", "unknown"))
    for test in tests:
        for about in test.get("data", {}).get("stores", {}).values():
            if about.get("source") == name and about.get("licence"):
                return [f"{name} ({about['licence']})"]
    return [name]
