"""The card and the licence of an exported model, written from its settings and results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_CARD = """# {name}

Reads pictures of formulas. A model of im2tex: encoder `{encoder}`, attention `{attention}`, decoder
`{decoder}`, {parameters:.2f} M parameters, a vocabulary of {tokens} tokens. Weights are kept in
half precision.{ensemble}

```bash
im2tex read IMAGE --model {name}
```

```python
from im2tex import Im2Tex

print(Im2Tex.from_pretrained("{name}").transcribe("formula.png")[0].latex)
```

## Trained on

{sources}

The weights come from these data and are passed on under the terms of their licences, see
[LICENSE](LICENSE).

## Scores

{scores}

## Limits

One formula a picture. It reads whatever it is shown as a formula, with the symbols below only, and
says nothing of pictures that hold none; a low score (`--json`) is a hint, not a measure. What is
rare in its data it reads badly, and long formulas worse than short ones.

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
        settings: its hyper-parameters, vocabulary included.
        parameters: how many it has, with those of the models that read with it.
        ensemble: these, and the sizes in which all see a picture, as a sentence; "" for neither.
        sources: what it was trained on, each with its licence.
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
    """The licence of the weights: that of the data they come from."""
    lines = "\n".join(f"- {source}" for source in sources)
    return (
        "This licence is that of the files in this folder, not of the software that reads them.\n\n"
        "The weights were trained on the following data, and may be used, changed and passed on\n"
        "under the terms of their licences, with the makers of the data named:\n\n"
        f"{lines}\n\n"
        "CC BY-NC-SA 3.0: https://creativecommons.org/licenses/by-nc-sa/3.0/\n"
        "Not for commercial use; whatever is made of it is passed on under the same licence.\n"
        "ODbL: https://opendatacommons.org/licenses/odbl/1-0/\n"
    )


def _scores(result: Mapping[str, Any], table: str) -> str:
    machine = result.get("machine", {}).get("cpu", "unknown machine")
    head = f"`{result['command']}`, {result['date'][:10]}, seed {result['seed']}, {machine}."
    return f"{head}\n\n{table}".rstrip()
