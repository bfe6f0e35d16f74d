"""Counts the InkML files read per second, against simple parsers, and measures peak memory.

    python benchmarks/inkml.py                             # generated files, no data needed
    python benchmarks/inkml.py PATH_OF_CROHME [--files N]  # a folder or archive of real files

Processor time of one core, from bytes in memory (no disk, no unpacking), with all parsers in turns
on the same files. Peak memory is the largest allocation for one file beyond its bytes, over all
files; with a path, the last line gives the peak memory of a whole preparation. All parsers must
return the same points.
"""

from __future__ import annotations

import argparse
import random
import resource
import sys
import tempfile
import time
import tracemalloc
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from xml.dom import minidom

import numpy as np
from numpy.typing import NDArray

from im2tex.data.preparation.raw_files import iter_files
from im2tex.data.sources.crohme.source import CrohmeSource
from im2tex.ink.inkml import InkmlError, read_inkml

Strokes = list[NDArray[np.float32]]


def ours(data: bytes) -> Strokes:
    return list(read_inkml(data).ink.strokes)


def _floats(text: str) -> NDArray[np.float32]:
    """Converts point by point."""
    points = [[float(value) for value in point.split()[:2]] for point in text.split(",")]
    return np.array(points, dtype=np.float32)


def with_minidom(data: bytes) -> Strokes:
    """Parses with the DOM of the standard library; strokes, truth and symbols by tag."""
    document = minidom.parseString(data)
    traces = document.getElementsByTagName("trace")
    strokes = [_floats(str(getattr(trace.firstChild, "data", ""))) for trace in traces]
    for annotation in document.getElementsByTagName("annotation"):
        annotation.getAttribute("type")
    for group in document.getElementsByTagName("traceGroup"):
        [view.getAttribute("traceDataRef") for view in group.getElementsByTagName("traceView")]
    return strokes


def with_element_tree(data: bytes) -> Strokes:
    """Parses with ElementTree; strokes, truth and symbols by tag."""
    root = ET.fromstring(data)
    space = root.tag.rpartition("}")[0] + "}" if "}" in root.tag else ""
    strokes = [_floats(trace.text or "") for trace in root.iter(f"{space}trace")]
    for annotation in root.iter(f"{space}annotation"):
        annotation.get("type")
    for group in root.iter(f"{space}traceGroup"):
        [view.get("traceDataRef") for view in group.findall(f"{space}traceView")]
    return strokes


PARSERS: dict[str, Callable[[bytes], Strokes]] = {
    "im2tex": ours,
    "ElementTree, float by float": with_element_tree,
    "minidom, float by float": with_minidom,
}


def made_up(count: int) -> list[bytes]:
    """Returns files of CROHME's mean size: 13 strokes of 40 points, 13 symbols."""
    rng = random.Random(0)
    files = []
    for _ in range(count):
        traces, groups = [], []
        for i in range(13):
            points = ", ".join(f"{rng.randint(0, 20000)} {rng.randint(0, 9999)}" for _ in range(40))
            traces.append(f'<trace id="{i}">{points}</trace>')
            groups.append(
                f'<traceGroup xml:id="g{i}"><annotation type="truth">x</annotation>'
                f'<traceView traceDataRef="{i}"/><annotationXML href="x_{i}"/></traceGroup>'
            )
        leaves = "".join(f'<mi xml:id="x_{i}">x</mi>' for i in range(13))
        files.append(
            '<ink xmlns="http://www.w3.org/2003/InkML"><annotation type="truth">$x$</annotation>'
            f'<annotationXML type="truth"><math><mrow>{leaves}</mrow></math></annotationXML>'
            f"{''.join(traces)}<traceGroup>{''.join(groups)}</traceGroup></ink>".encode()
        )
    return files


def real(path: Path, count: int) -> list[bytes]:
    """Returns evenly spaced files of a data set that the simple parsers can read."""
    files = [member.data for member in iter_files(path) if member.data]
    step = max(1, len(files) // count)
    readable = []
    for data in files[::step]:
        try:
            ours(data)
            with_element_tree(data)
        except (InkmlError, ET.ParseError, ValueError):
            continue
        readable.append(data)
    return readable


def peak(read: Callable[[bytes], Strokes], files: list[bytes]) -> float:
    """Returns the largest allocation while reading one file, MiB."""
    highest = 0
    for data in files:
        tracemalloc.start()
        read(data)
        highest = max(highest, tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return highest / 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("path", nargs="?", type=Path, help="a folder or archive of InkML")
    parser.add_argument("--files", type=int, default=1000, help="number of files")
    parser.add_argument("--rounds", type=int, default=3, help="the best round counts")
    arguments = parser.parse_args()
    files = real(arguments.path, arguments.files) if arguments.path else made_up(arguments.files)
    size = sum(map(len, files)) / len(files) / 1024
    points = sum(len(stroke) for data in files for stroke in ours(data))
    print(f"{len(files)} files of {size:.1f} KiB and {points / len(files):.0f} points on average")
    for data in files:
        for way in (with_element_tree, with_minidom):
            for mine, theirs in zip(ours(data), way(data), strict=True):
                np.testing.assert_array_equal(mine, theirs)
    best = dict.fromkeys(PARSERS, float("inf"))
    for _ in range(arguments.rounds):
        for name, read in PARSERS.items():
            start = time.process_time()
            for data in files:
                read(data)
            best[name] = min(best[name], time.process_time() - start)
    for name, read in PARSERS.items():
        ratio = best[name] / best["im2tex"]
        memory = peak(read, files[:: max(1, len(files) // 100)])
        print(
            f"{name:30} {len(files) / best[name]:8.0f} files/s  {ratio:5.2f} x our time"
            f"  peak {memory:.2f} MiB per file"
        )
    if arguments.path:
        with tempfile.TemporaryDirectory() as folder:
            start, wall = time.process_time(), time.time()
            prepared = CrohmeSource().prepare(Path(folder), str(arguments.path))
            spent, wall = time.process_time() - start, time.time() - wall
        unit = 1024 if sys.platform != "darwin" else 1024 * 1024
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
        inks = sum(prepared.splits.values())
        print(f"whole preparation: {inks} inks in {spent:.1f} s of processor time ({wall:.1f} s),")
        print(f"  {memory:.0f} MiB resident at most, this benchmark included")


if __name__ == "__main__":
    main()
