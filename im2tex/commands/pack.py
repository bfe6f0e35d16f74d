"""`im2tex data pack`: packs prepared data into one file for another machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from im2tex.utils.wording import counted


def pack(sources: Sequence[str], *, out: Path, root: Path = Path("data")) -> None:
    """Packs the stores of sources into one small file, for machines without the raw data.

    `--data.root FILE.im2tex` then trains and tests from it. The glyph bank is packed with synthetic
    handwriting. Values are unchanged; the licences of the data apply to the file.

    Args:
        sources: names of prepared sources, such as crohme handwriting.
        out: file to write; it must end in .im2tex.
        root: folder of the prepared data.

    Raises:
        Im2TexError: if a source is not prepared, or a file cannot be read or written.
    """
    from im2tex.data.packing import write_pack

    packed = write_pack(out, root, sources)
    for file in packed:
        samples = file.notes.get("samples", 0)
        print(f"{file.path}: {counted(samples, 'sample')}, {file.bytes / 1e6:.1f} MB")
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB")
