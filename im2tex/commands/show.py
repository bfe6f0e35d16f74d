"""`im2tex data show`: draws samples of prepared splits on one sheet."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from im2tex.commands.prepare import parse_source_args
from im2tex.errors import Im2TexError
from im2tex.utils.checks import check_settings


def show(
    splits: Sequence[str],
    *,
    out: Path = Path("samples.png"),
    count: int = 40,
    columns: int = 4,
    root: Path = Path("data"),
    source_args: str | None = None,
    symbol_size: float = 24.0,
    seed: int = 0,
) -> None:
    """Draws random samples of each split on one sheet, preprocessed as for a model.

    Useful to inspect a data set, and to compare synthetic with real handwriting.

    Args:
        splits: prepared splits, such as handwriting:train crohme:train.
        out: PNG file to write.
        count: samples per split.
        columns: columns of samples per split.
        root: folder of the prepared data.
        source_args: settings of the first split's source, such as '{style: paper}'.
        symbol_size: size of a handwritten symbol in pixels; images keep their scale.
        seed: seed of the random choice.

    Raises:
        Im2TexError: if a split does not exist, a setting is wrong, or the file is not writable.
    """
    import numpy as np

    from im2tex.data.dataset import FormulaDataset
    from im2tex.data.pack import open_root
    from im2tex.data.preprocessing import Preprocessing
    from im2tex.data.source import SOURCES
    from im2tex.render.rendering import GrayImage
    from im2tex.utils.png import save_png
    from im2tex.visualization.dataset_sheet import draw_dataset_sheet

    root = open_root(root)
    check_settings("--", 1, count=count, columns=columns)
    settings = parse_source_args(source_args)
    preprocessing = Preprocessing(symbol_size=symbol_size, stroke_width=0.1)
    groups: dict[str, list[GrayImage]] = {}
    for number, name in enumerate(splits):
        source_name, colon, part = name.partition(":")
        if not colon:
            raise Im2TexError(f"expected SOURCE:SPLIT, such as crohme:train, got '{name}'.")
        source = SOURCES.build(source_name, settings if number == 0 else {})
        # An existing store is shown whatever settings it was prepared with.
        if part not in source.available(root):
            source.ensure(root)
        split = source.split(root, part)
        chosen = np.random.default_rng(seed).permutation(len(split))[:count]
        dataset = FormulaDataset(split, preprocessing)
        images = []
        for index in chosen.tolist():
            sample = dataset[0, [index]]
            height, width = sample.sizes[0].tolist()
            images.append(sample.images[0, 0, :height, :width].numpy())
        groups[name] = images
    save_png(out, draw_dataset_sheet(groups, columns))
    print(f"{out}: {', '.join(f'{len(shown)} of {name}' for name, shown in groups.items())}")
