"""Compares our renderings with the page images of the paper's authors.

    python benchmarks/render_calibration.py                  # IM2TEX_DATA names the data's folder
    python benchmarks/render_calibration.py --differing OUT  # also writes pairs that differ

The folder contains the authors' sample: im2latex100k/sample_1200_raw.tsv.xz (split, formula id,
image, raw LaTeX) and sample_1200_pages.tar.xz, pages at 200 dpi rasterised by ImageMagick from PDF.
Both images are cropped to their ink, the pixels darker than --ink, because the anti-aliasing of the
pages and of dvipng differs in the faintest pixels. Match and edit score are those of the metrics
(see im2tex.evaluation.metrics.image_match), binarised at 128.
"""

from __future__ import annotations

import argparse
import csv
import io
import lzma
import os
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
from PIL import Image

from im2tex.evaluation.metrics.image_match import compare_images
from im2tex.render import open_renderer
from im2tex.render.rendering import GrayImage

FOLDER = "im2latex100k"


def read_formulas(folder: Path) -> dict[str, str]:
    """Returns the raw LaTeX by the name of its image."""
    with lzma.open(folder / "sample_1200_raw.tsv.xz", "rt", encoding="utf-8", newline="\n") as file:
        rows = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        next(rows)
        return {row[2]: row[3] for row in rows}


def read_pages(folder: Path) -> dict[str, GrayImage]:
    """Returns the authors' pages by name, not cropped."""
    pages = {}
    with tarfile.open(folder / "sample_1200_pages.tar.xz") as archive:
        for member in archive:
            if member.isfile() and member.name.endswith(".png"):
                file = archive.extractfile(member)
                if file is not None:
                    # The ink is in the alpha channel; the colours have no meaning.
                    ink = Image.open(io.BytesIO(file.read())).convert("RGBA")
                    paper = Image.new("RGBA", ink.size, "white")
                    paper.alpha_composite(ink)
                    pages[Path(member.name).stem] = cropped(np.asarray(paper.convert("L")), 255)
    return pages


def cropped(image: GrayImage, ink: int) -> GrayImage:
    """Returns the box of all pixels darker than `ink`, of shape (0, 0) if there are none."""
    dark = image < ink
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    if not rows.size:
        return np.zeros((0, 0), np.uint8)
    return np.ascontiguousarray(image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1])


def stack_images(theirs: GrayImage, ours: GrayImage) -> Image.Image:
    """Returns an image with theirs above ours."""
    width = max(theirs.shape[1], ours.shape[1])
    page = np.full((theirs.shape[0] + ours.shape[0] + 20, width), 255, np.uint8)
    page[: theirs.shape[0], : theirs.shape[1]] = theirs
    page[-ours.shape[0] :, : ours.shape[1]] = ours
    return Image.fromarray(page)


def line(name: str, count: int, total: int) -> None:
    print(f"{name:42} {count:5} of {total}  {100 * count / total:6.2f} %")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, default=os.environ.get("IM2TEX_DATA"))
    parser.add_argument("--ink", type=int, default=200, help="pixels below this are ink (200)")
    parser.add_argument("--differing", type=Path, help="folder for pairs of images that differ")
    options = parser.parse_args()
    if options.data is None or not (options.data / FOLDER).is_dir():
        sys.exit(f"render_calibration: set IM2TEX_DATA or --data to the folder with {FOLDER}/")
    formulas = read_formulas(options.data / FOLDER)
    pages = read_pages(options.data / FOLDER)
    if options.differing:
        options.differing.mkdir(parents=True, exist_ok=True)
    counts: Counter[str] = Counter()
    apart: Counter[int] = Counter()
    found: list[dict[str, bool | int]] = []
    with open_renderer("tex") as renderer:
        print(renderer.signature)
        for name, rendering in zip(formulas, renderer.render(formulas.values()), strict=True):
            page = pages.get(name)
            theirs = cropped(page, options.ink) if page is not None else np.zeros((0, 0), np.uint8)
            pixels = rendering.pixels
            if not theirs.size or pixels is None:
                side = "neither rendered" if not theirs.size and pixels is None else ""
                counts[side or ("only ours draws" if pixels is not None else "only theirs")] += 1
                if not side and options.differing:
                    print(f"  {name}: {rendering.failure}")
                continue
            ours = cropped(pixels, options.ink)
            compared = compare_images(ours, theirs)
            found.append(compared)
            off = max(abs(a - b) for a, b in zip(ours.shape, theirs.shape, strict=True))
            apart[off] += 1
            if options.differing and (off > 1 or not compared["image_match"]):
                stack_images(theirs, ours).save(options.differing / f"{off:04d}_{name}.png")
    total = len(found)
    print(f"{len(formulas)} formulas, {total} rendered by both; {dict(counts)}")
    for limit in (0, 1, 2):
        same = sum(count for off, count in apart.items() if off <= limit)
        line(f"height and width within {limit} pixels", same, total)
    line("match, symmetric", sum(item["image_match"] for item in found), total)
    symmetric = sum(item["image_match_no_space"] for item in found)
    line("match, symmetric, without white space", symmetric, total)
    line("match, released", sum(item["image_match_released"] for item in found), total)
    released = sum(item["image_match_no_space_released"] for item in found)
    line("match, released, without white space", released, total)
    columns = sum(item["image_columns"] for item in found)
    edits = 1 - sum(item["image_edits"] for item in found) / columns
    print(f"edit score over all columns{'':22} {100 * edits:6.2f} %")


if __name__ == "__main__":
    main()
