"""`im2tex data show`: samples of prepared splits on one sheet, as a model sees them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from im2tex.commands.prepare import given_settings
from im2tex.data.dataset import FormulaDataset
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.source import SOURCES
from im2tex.errors import Im2TexError
from im2tex.utils.png import save_png
from im2tex.visualization.dataset_sheet import Pictures, sample_sheet


def show(
    splits: Sequence[str],
    out: Path,
    *,
    count: int = 40,
    columns: int = 4,
    root: Path = Path("data"),
    source_args: str | None = None,
    symbol_size: float = 24.0,
    seed: int = 0,
) -> None:
    """Draws a random choice of samples of each split, a block a split.

    Args:
        splits: `SOURCE:SPLIT`, such as `crohme:train`.
        out: the PNG file.
        count: samples of each.
        columns: of a block.
        root: folder of the stores.
        source_args: settings of the first split's source as a YAML mapping.
        symbol_size: pixels of a handwritten symbol; pictures keep their scale.
        seed: of the choice.

    Raises:
        Im2TexError: for a split that is not there, settings that do not fit, or a file that cannot
            be written.
    """
    if count < 1 or columns < 1:
        raise Im2TexError(f"--count and --columns are at least 1; got {count} and {columns}.")
    settings = given_settings(source_args)
    preprocessing = Preprocessing(symbol_size=symbol_size, thickness=0.1)
    groups: dict[str, Pictures] = {}
    for number, given in enumerate(splits):
        name, colon, part = given.partition(":")
        if not colon:
            raise Im2TexError(f"expected SOURCE:SPLIT, such as crohme:train, got '{given}'.")
        source = SOURCES.build(name, settings if number == 0 else {})
        # What lies there is looked at, whatever settings it was made with.
        if not source.path(root, part).exists():
            source.ensure(root)
        split = source.split(root, part)
        chosen = np.random.default_rng(seed).permutation(len(split))[:count]
        batch = FormulaDataset(split, preprocessing)
        pictures = []
        for k in chosen.tolist():
            one = batch[0, [k]]
            height, width = one.sizes[0].tolist()
            pictures.append(one.images[0, 0, :height, :width].numpy())
        groups[given] = pictures
    save_png(out, sample_sheet(groups, columns))
    print(f"{out}: {', '.join(f'{len(shown)} of {name}' for name, shown in groups.items())}")
