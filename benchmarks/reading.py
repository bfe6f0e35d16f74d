"""Measures `im2tex read` with 0, 1 and 2 worker processes, and that of another commit.

    python benchmarks/reading.py --count 500 --baseline ../im2tex-at-another-commit
    python benchmarks/reading.py --count 40 --pixels 12000000

The images are generated formulas in the built-in font; with `--pixels`, photographs of them of this
size, as JPEG files. The runs take turns. Prints the shortest wall time and processor time of each,
the ratio of the wall times to the first row, and whether all printed the same.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from header import announce
from PIL import Image

from im2tex.data.preparation.random_grammar import RandomGrammar
from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.ink import Ink
from im2tex.ink.rasterize import draw
from im2tex.model.image_input import prepare_image
from im2tex.model.recognizer import Recognizer

ROOT = Path(__file__).parents[1]
SYMBOLS = "0 1 2 3 a b n x y z \\alpha \\pi + - = ( ) \\frac \\sqrt ^ _ \\sum"


def drawing(ink: Ink, pixels: int, rng: np.random.Generator) -> Image.Image:
    """A drawn formula; a photograph of it with `pixels` pixels, if that is not 0."""
    left, _, right, _ = ink.bounds
    width = round((pixels * 4 / 3) ** 0.5)
    scale = 0.7 * width / (right - left) if pixels else 40.0
    drawn = 255 - draw(ink, scale, scale / 10, 20)
    if not pixels:
        return Image.fromarray(drawn)
    sheet = np.full((max(width * 3 // 4, drawn.shape[0]), max(width, drawn.shape[1])), 255.0)
    sheet[: drawn.shape[0], : drawn.shape[1]] = drawn
    light = np.linspace(0.6, 0.85, sheet.shape[1])
    grey = (40 + 0.8 * sheet) * light + rng.normal(0, 3, sheet.shape)
    return Image.fromarray(grey.clip(0, 255).astype(np.uint8)).convert("RGB")


def measure(tree: Path, files: list[str], flags: list[str]) -> tuple[float, float, bytes]:
    """Wall time and processor time of one run in seconds, and what it printed."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    run = subprocess.run(
        [sys.executable, "-m", "im2tex", "read", *files, *flags],
        env={**os.environ, "PYTHONPATH": str(tree.resolve())},
        stdout=subprocess.PIPE,
        check=True,
    )
    wall, after = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_CHILDREN)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, run.stdout


def measure_parts(files: list[str]) -> tuple[float, float]:
    """Processor time of preparing and of predicting an image, in seconds."""
    model = Recognizer.from_pretrained("handwritten_small")
    begun = time.process_time()
    for file in files:
        prepare_image(file, model.preprocessing)
    prepared = time.process_time()
    model.predict(files, batch_size=1)  # prepares them again
    ended = time.process_time()
    return (prepared - begun) / len(files), (ended - 2 * prepared + begun) / len(files)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("--count", type=int, default=500, help="images")
    parser.add_argument("--pixels", type=int, default=0, help="of a photograph")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--baseline", type=Path, help="another working tree, without --workers")
    args = parser.parse_args()
    announce()
    rows = {f"{n} workers": (ROOT, ["--workers", str(n)]) for n in (0, 1, 2)}
    if args.baseline:
        rows = {"baseline": (args.baseline, []), **rows}
    rng = np.random.default_rng(0)
    grammar = RandomGrammar(SYMBOLS, depth=2, min_tokens=3, max_tokens=25)
    formulas = filter(None, iter(lambda: grammar.formula(rng) or (), None))
    with tempfile.TemporaryDirectory() as folder:
        files = []
        for number, tokens in zip(range(args.count), formulas, strict=False):
            file = Path(folder) / f"{number}.{'jpg' if args.pixels else 'png'}"
            drawing(typeset(tokens), args.pixels, rng).save(file)
            files.append(str(file))
        preparing, search = measure_parts(files[:20])
        print(f"processor time of an image: {preparing:.4f} s prepared, {search:.4f} s predicted")
        runs: dict[str, list[tuple[float, float, bytes]]] = {name: [] for name in rows}
        for _ in range(args.rounds):
            for name, (tree, flags) in rows.items():
                runs[name].append(measure(tree, files, flags))
    base = min(run[0] for run in next(iter(runs.values())))
    print(f"{'':12} {'wall s':>8} {'cpu s':>8} {'ratio':>6}   (shortest of {args.rounds})")
    for name, values in runs.items():
        wall, cpu = min(run[0] for run in values), min(run[1] for run in values)
        print(f"{name:12} {wall:8.2f} {cpu:8.2f} {wall / base:6.2f}")
    same = len({run[2] for values in runs.values() for run in values}) == 1
    print("all printed the same" if same else "the runs printed different predictions")
    return 0


if __name__ == "__main__":
    sys.exit(main())
