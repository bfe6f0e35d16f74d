"""The model card and the licence of an exported model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_CARD = """# {name}

Converts images of formulas to LaTeX. A model of im2tex: encoder `{encoder}`, attention
`{attention}`, decoder `{decoder}`, {parameters:.2f} M parameters, a vocabulary of {tokens} tokens.
The weights are stored in half precision.{ensemble}

```bash
im2tex read IMAGE --model {name}
```

```python
from im2tex import Im2Tex

print(Im2Tex.from_pretrained("{name}").transcribe("formula.png")[0].latex)
```

## Trained on

{sources}

The weights are distributed under the terms of the licences of these data, see
[LICENSE](LICENSE).

## Scores

{scores}

## Limits

An image must hold exactly one formula. The model predicts a formula for any image, with the
symbols below only; a low score (`--json`) indicates an image without a formula, but is not
calibrated. Accuracy is lower for symbols that are rare in the training data, and for long formulas.

Symbols: {symbols}
"""


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
        name: of the model.
        settings: its hyperparameters, with the vocabulary.
        parameters: number of parameters, with those of the ensemble's other members.
        ensemble: description of the ensemble and its test-time scales; empty for a single model.
        sources: training data, each with its licence.
        tests: results with their tables in Markdown.
    """
    return _CARD.format(
        name=name,
        encoder=settings["encoder"],
        attention=settings["attention"],
        decoder=settings["decoder"],
        parameters=parameters / 1e6,
        ensemble=f"\n{ensemble}" if ensemble else "",
        tokens=len(settings["vocabulary"]),
        sources="\n".join(f"- {source}" for source in sources),
        scores="\n\n".join(_scores(*test) for test in tests) or "Not measured.",
        symbols=" ".join(f"`{token}`" for token in sorted(settings["vocabulary"])),
    )


def licence(sources: Sequence[str]) -> str:
    """The licence of the weights, which is that of the training data."""
    lines = "\n".join(f"- {source}" for source in sources)
    return (
        "This licence is that of the files in this folder, not of the software that reads them.\n\n"
        "The weights were trained on the following data. They may be used, changed and\n"
        "distributed under the terms of the licences of these data, with attribution:\n\n"
        f"{lines}\n\n"
        "CC BY-NC-SA 3.0: https://creativecommons.org/licenses/by-nc-sa/3.0/\n"
        "Not for commercial use; derived works must be distributed under the same licence.\n"
        "ODbL: https://opendatacommons.org/licenses/odbl/1-0/\n"
    )


def _scores(result: Mapping[str, Any], table: str) -> str:
    machine = result.get("machine", {}).get("cpu", "unknown machine")
    head = f"`{result['command']}`, {result['date'][:10]}, seed {result['seed']}, {machine}."
    return f"{head}\n\n{table}".rstrip()
