"""The model card and the licence of an exported model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def _template(name: str) -> str:
    return Path(__file__).with_name(name).read_text(encoding="utf-8")


def model_card(
    *,
    name: str,
    settings: Mapping[str, Any],
    parameters: int,
    ensemble: str,
    sources: Sequence[str],
    tests: Sequence[tuple[Mapping[str, Any], str]],
) -> str:
    """The card in Markdown.

    Args:
        name: name of the model.
        settings: its hyperparameters, with the vocabulary.
        parameters: number of parameters, with those of the ensemble's other members.
        ensemble: description of the ensemble and its test-time scales; empty for a single model.
        sources: training data, each with its licence.
        tests: results with their tables in Markdown.
    """
    return _template("model_card.txt").format(
        name=name,
        encoder=settings["encoder"],
        attention=settings["attention"],
        decoder=settings["decoder"],
        parameters=parameters / 1e6,
        ensemble=f"\n{ensemble}" if ensemble else "",
        tokens=len(settings["vocabulary"]),
        sources=_listed(sources),
        scores="\n\n".join(_scores(*test) for test in tests) or "Not measured.",
        symbols=" ".join(f"`{token}`" for token in sorted(settings["vocabulary"])),
    )


_TERMS = {
    "BY-NC-SA 3.0": "CC BY-NC-SA 3.0: https://creativecommons.org/licenses/by-nc-sa/3.0/\n"
    "Not for commercial use; derived works must be distributed under the same licence.\n",
    "ODbL": "ODbL: https://opendatacommons.org/licenses/odbl/1-0/\n",
}
"""What to know of a licence, by a part of its name."""


def licence(sources: Sequence[str]) -> str:
    """The licence of the weights, which is that of the training data.

    Args:
        sources: training data, each with its licence.
    """
    terms = [text for name, text in _TERMS.items() if any(name in source for source in sources)]
    text = _template("licence.txt").format(sources=_listed(sources), terms="".join(terms))
    return text.rstrip() + "\n"


def _listed(sources: Sequence[str]) -> str:
    return "\n".join(f"- {source}" for source in sources)


def _scores(result: Mapping[str, Any], table: str) -> str:
    machine = result.get("machine", {}).get("cpu", "unknown machine")
    head = f"`{result['command']}`, {result['date'][:10]}, seed {result['seed']}, {machine}."
    return f"{head}\n\n{table}".rstrip()
