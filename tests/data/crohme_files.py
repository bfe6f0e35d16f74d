"""Factory of small InkML files in the layout of CROHME."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape


def inkml(
    symbols: str,
    *,
    latex: str | None = None,
    mathml: str | None = "row",
    groups: bool = True,
    ui: str = "",
    writer: str = "w1",
    shift: float = 0.0,
) -> bytes:
    """Returns an InkML file with one stroke for each symbol, from left to right.

    Args:
        symbols: names of the symbols, separated by spaces.
        latex: the LaTeX truth; the symbols in a row by default, none if "".
        mathml: the MathML truth's body; "row" lists the symbols, None omits it.
        groups: whether the strokes are grouped into symbols.
        ui: unique identifier.
        writer: name of the writer.
        shift: offset of all points, for a different ink.
    """
    names = symbols.split()
    ids = [f"{escape(name)}_{names[: i + 1].count(name)}" for i, name in enumerate(names)]
    if mathml == "row":
        mathml = "".join(
            f'<mi xml:id="{identity}">{escape(name)}</mi>'
            for name, identity in zip(names, ids, strict=True)
        )
    latex = escape(symbols if latex is None else latex)
    lines = [
        '<ink xmlns="http://www.w3.org/2003/InkML">',
        f'<annotation type="UI">{ui}</annotation>' if ui else "",
        f'<annotation type="writer">{writer}</annotation>' if writer else "",
        f'<annotation type="truth">${latex}$</annotation>' if latex else "",
    ]
    if mathml is not None:
        lines.append(
            f'<annotationXML type="truth"><math><mrow>{mathml}</mrow></math></annotationXML>'
        )
    for i in range(len(names)):
        x = 10 * i + shift
        lines.append(f'<trace id="{i}">{x} 0, {x + 5} 7, {x + 6} {9 + shift}</trace>')
    if groups:
        lines.append('<traceGroup><annotation type="truth">Segmentation</annotation>')
        for i, (name, identity) in enumerate(zip(names, ids, strict=True)):
            reference = f'<annotationXML href="{identity}"/>' if mathml is not None else ""
            lines.append(
                f'<traceGroup><annotation type="truth">{escape(name)}</annotation>'
                f'<traceView traceDataRef="{i}"/>{reference}</traceGroup>'
            )
        lines.append("</traceGroup>")
    return "\n".join([*lines, "</ink>"]).encode()


def write(root: Path, files: dict[str, bytes]) -> Path:
    """Writes files below a folder."""
    for name, data in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    return root


def training(count: int = 40) -> dict[str, bytes]:
    """Training inks of two collections, each label written twice, by writers a and b."""
    files = {}
    for i in range(count):
        label = " ".join(f"{i:03d}")
        collection = "HAMEX" if i % 2 else "KAIST"
        for writer in "ab":
            files[f"TrainINKML/{collection}/f{i}{writer}.inkml"] = inkml(
                label, writer=writer, ui=f"ui_{i}{writer}", shift=i + (writer == "b") / 2
            )
    return files


def release(count: int = 40) -> dict[str, bytes]:
    """A release in miniature: training and the tests of 2013 and 2014."""
    files = training(count)
    for year, folder in ((2013, "TestINKMLGT"), (2014, "TestEM2014GT")):
        for i in range(3):
            files[f"{folder}/t{i}.inkml"] = inkml(f"a + {i}", ui=f"t_{year}_{i}", shift=year + i)
    return files
