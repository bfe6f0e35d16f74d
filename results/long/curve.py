"""Collects the validations of the study so far, and its log.

    python results/long/curve.py WORK

Reads WORK/runs/long and WORK/logs/study.log, and writes curve.csv (a row for each validation, with
the images seen before it), log.txt (starts, resumptions and validations) and curve.png beside this
file. Images are counted from the steps, by the mean size of a batch in that stage.
"""

from __future__ import annotations

import csv
import re
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

HERE = Path(__file__).parent
STAGES = {"1-synthetic_long": "synthetic", "2-crohme_long": "crohme"}
SCORES = ("val/token_exact", "val/perplexity", "val/token_error_rate", "val/expression_rate")
_SIZE = re.compile(r"train: ([\d,]+) of [\d,]+ samples")
_STEPS = re.compile(r"epoch \d+ \(\d+/\d+\)  \d+/(\d+) batches")
_KEPT = re.compile(
    r"\d{4}-\d\d-\d\dT|\+ im2tex|epoch \d+ .* val |Restor|stopped|error", re.IGNORECASE
)


def images_per_step(log: str) -> list[float]:
    """Mean images of a batch in each stage whose training has begun."""
    parts = log.split("+ im2tex fit --config")[1:]
    found = {}
    for part in parts:
        size, steps = _SIZE.search(part), _STEPS.search(part)
        if size and steps:
            stage = 0 if part.lstrip().startswith("../synthetic") else 1
            found[stage] = int(size[1].replace(",", "")) / int(steps[1])
    return [found[stage] for stage in sorted(found)]


def main() -> int:
    """Writes the three files."""
    work = Path(sys.argv[1])
    log = (work / "logs/study.log").read_text(encoding="utf-8", errors="replace")
    per_step = images_per_step(log)
    rows: list[dict[str, str | float]] = []
    seen = 0.0
    for (folder, stage), size in zip(STAGES.items(), per_step, strict=False):
        validations: dict[int, dict[str, str]] = {}
        for path in sorted((work / "runs/long" / folder).glob("version_*/metrics.csv")):
            with path.open(encoding="utf-8") as file:
                for row in csv.DictReader(file):
                    if row.get("val/token_exact"):
                        validations[int(row["step"]) + 1] = row
        for step, row in sorted(validations.items()):
            scores = {name: row[name] for name in SCORES}
            rows.append(
                {"stage": stage, "step": step, "images": round(seen + step * size), **scores}
            )
        seen += max(validations, default=0) * size
    with (HERE / "curve.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["stage", "step", "images", *SCORES], lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    lines = [line for line in log.splitlines() if _KEPT.search(line)]
    (HERE / "log.txt").write_text("\n".join(lines) + "\n", encoding="utf-8")
    figure, axes = plt.subplots(figsize=(6, 3.5), layout="constrained")
    for stage in STAGES.values():
        points = [
            (one["images"], 100 * float(one[SCORES[0]])) for one in rows if one["stage"] == stage
        ]
        if points:
            axes.plot(*zip(*points, strict=True), marker=".", label=f"validation of {stage}")
    axes.set(xlabel="images seen", ylabel="token_exact, greedy (%)")
    axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(HERE / "curve.png", dpi=120)
    print(f"{len(rows)} validations, {round(seen):,} images")
    return 0


if __name__ == "__main__":
    sys.exit(main())
