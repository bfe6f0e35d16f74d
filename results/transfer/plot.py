"""Draws the study of transfer from its results.

    python results/transfer/plot.py          # results/transfer/transfer.png

Left: CROHME alone against synthetic handwriting first, a dot a seed. Middle: over the amount of
synthetic formulas. Right: over the amount of CROHME's training inks.
"""

from __future__ import annotations

import json
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
SPLITS = {"test_2013": ("2013", "o", "tab:orange"), "test_2014": ("2014", "s", "tab:blue")}
METRIC = "token_exact"


def value(name: str, split: str) -> float | None:
    """A result's figure in percent; None for one that is not there."""
    path = HERE / f"{name}.json"
    if not path.exists():
        return None
    return 100 * float(json.loads(path.read_text(encoding="utf-8"))["metrics"][split][METRIC])


def curve(axes: plt.Axes, points: list[tuple[float, str]], split: str, style: str = "-") -> None:
    """Joins the points, (x, name of a result), whose results are there."""
    year, marker, colour = SPLITS[split]
    known = [(x, y) for x, name in points if (y := value(name, split)) is not None]
    if known:
        axes.plot(*zip(*known, strict=True), style, marker=marker, color=colour, label=year)


def main() -> None:
    """Draws the three panels."""
    figure, (seeds, synthetic, real) = plt.subplots(1, 3, figsize=(12, 3.8), sharey=True)
    for split, (year, marker, colour) in SPLITS.items():
        for place, name in enumerate(("scratch", "pretrained")):
            for seed in range(2):
                y = value(f"{name}_seed{seed}", split)
                if y is not None:
                    label = year if place == 0 and seed == 0 else None
                    seeds.plot(place, y, marker, color=colour, label=label, alpha=0.8)
        curve(
            synthetic,
            [(0, "scratch_seed0"), (16, "synthetic_16k"), (73.6, "pretrained_seed0")],
            split,
        )
        y = value("faithful", split)
        if y is not None:
            synthetic.plot(
                73.6, y, marker, color=colour, fillstyle="none", label=f"{year}, faithful"
            )
        curve(real, [(2, "scratch_crohme_2k"), (7.9, "scratch_seed0")], split, "--")
        first = [(0, "synthetic_only"), (2, "pretrained_crohme_2k"), (7.9, "pretrained_seed0")]
        curve(real, first, split)
    seeds.set_xticks([0, 1], ["CROHME alone", "synthetic first"])
    seeds.set_xlim(-0.5, 1.5)
    seeds.set_ylabel("formulas read exactly, %")
    seeds.set_title("two seeds")
    synthetic.set_title("amount of synthetic handwriting")
    synthetic.set_xlabel("formulas, thousands")
    real.set_title("amount of CROHME (dashed: alone)")
    real.set_xlabel("training inks, thousands")
    for axes in (seeds, synthetic, real):
        axes.grid(alpha=0.3)
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=8)
    figure.tight_layout()
    figure.savefig(HERE / "transfer.png", dpi=110)
    print(HERE / "transfer.png")


if __name__ == "__main__":
    main()
