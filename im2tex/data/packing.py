"""Packs prepared data: one file with the stores of several sources, for another machine.

A pack is an uncompressed tar archive, so `tar -xf` unpacks it as well. Its first member is a
manifest with the size and the SHA-256 of each of the others, which are the Parquet files of the
stores and the files that they need, such as the glyph bank. The files are encoded anew to be
smaller: Zstandard at level 19, numbers split into streams of bytes. All values stay the same.
`im2tex.data.pack` reads packs.
"""

from __future__ import annotations

import io
import json
import tarfile
import tempfile
from collections.abc import Mapping, Sequence
from hashlib import file_digest
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from im2tex.data.pack import FORMAT, MANIFEST, SUFFIX, PackedFile
from im2tex.data.source import SOURCES
from im2tex.errors import Im2TexError
from im2tex.utils.files import atomic_write, wrap_os_errors
from im2tex.utils.progress import progress_bar
from im2tex.utils.version import __version__

_ROWS = 65_536  # of a row group; more compress better, and are held in memory
_PAGE_BYTES = 16 << 20
_LEVEL = 19  # of Zstandard, the highest that needs no more memory for reading
_DICTIONARY = (
    *("tokens.list.element", "symbols.list.element.token", "extra.key_value.key"),
    *("token", "source", "writer"),
)
"""Columns of text with few distinct values; a dictionary makes the others larger."""

_NUMBERS = ("FLOAT", "DOUBLE", "INT32", "INT64")
_METADATA = (b"im2tex", b"im2tex_glyphs")
_NOTED = ("licence", "licences", "settings", "labels", "version", "format")


def write_pack(path: Path, root: Path, sources: Sequence[str]) -> list[PackedFile]:
    """Packs the stores of sources.

    Example:
        >>> write_pack(Path("crohme.im2tex"), Path("data"), ["crohme"])

    Args:
        path: of the pack.
        root: the data root.
        sources: names of sources, each with all its splits, and with its shared files that exist.

    Returns:
        The packed files.

    Raises:
        Im2TexError: if a source is unknown or not prepared, or a file cannot be read or written.
    """
    if path.suffix != SUFFIX:
        raise Im2TexError(f"--out must end in {SUFFIX}, got {path}.")
    names = _stored_files(root, sources)
    advice = "Choose another --out, or free disk space."
    with (
        wrap_os_errors(f"write {path}", advice),
        tempfile.TemporaryDirectory(prefix="im2tex-pack-") as temporary,
        atomic_write(path) as part,
        tarfile.open(part, "w") as archive,
        progress_bar("packing", len(names)) as bar,
    ):
        packed: list[PackedFile] = []
        for name in names:
            copy = Path(temporary) / str(len(packed))
            notes = _encode_anew(root / name, copy)
            with copy.open("rb") as file:
                digest = file_digest(file, "sha256").hexdigest()
            packed.append(PackedFile(name, copy.stat().st_size, digest, notes))
            bar.advance()
        manifest = {
            "format": FORMAT,
            "im2tex": __version__,
            "files": [file._asdict() for file in packed],
        }
        text = json.dumps(manifest, indent=1, ensure_ascii=False).encode()
        archive.addfile(_member(MANIFEST, len(text)), io.BytesIO(text))
        for number, entry in enumerate(packed):
            with (Path(temporary) / str(number)).open("rb") as file:
                archive.addfile(_member(entry.path, entry.bytes), file)
    return packed


def _stored_files(root: Path, sources: Sequence[str]) -> list[str]:
    """The files to pack, relative to the data root, sorted and without repetition.

    Raises:
        Im2TexError: if a source is unknown or has no store.
    """
    names: set[str] = set()
    for source in sources:
        cls = SOURCES.get(source)
        stores = [path for path in (root / source).glob("*.parquet") if path.name[0] != "."]
        if not stores:
            raise Im2TexError(
                f"{root / source} holds no store: make it with `im2tex data prepare {source} "
                f"--root {root}`."
            )
        names |= {path.relative_to(root).as_posix() for path in stores}
        names |= {name for name in cls.shared_files if (root / name).exists()}
    return sorted(names)


def _encode_anew(path: Path, copy: Path) -> dict[str, Any]:
    """Writes a Parquet file with smaller encodings, and returns the notes of the manifest.

    Raises:
        Im2TexError: if the file cannot be read.
    """
    with wrap_os_errors(
        f"read {path}",
        "Make it again with `im2tex data prepare` or `im2tex data glyphs`.",
        (pa.ArrowException, OSError),
    ):
        file = pq.ParquetFile(path, page_checksum_verification=True)
        columns = [file.schema.column(number) for number in range(len(file.schema))]
        split = {c.path: "BYTE_STREAM_SPLIT" for c in columns if c.physical_type in _NUMBERS}
        schema = file.schema_arrow
        with pq.ParquetWriter(
            copy,
            schema,
            compression="zstd",
            compression_level=_LEVEL,
            use_dictionary=[c.path for c in columns if c.path in _DICTIONARY],
            column_encoding=split,
            data_page_size=_PAGE_BYTES,
            dictionary_pagesize_limit=_PAGE_BYTES,
            write_page_checksum=True,
        ) as writer:
            for batch in file.iter_batches(_ROWS):
                writer.write_batch(batch)
        rows: int = file.metadata.num_rows
    return {"samples": rows, **_notes(schema.metadata or {})}


def _notes(metadata: Mapping[bytes, bytes]) -> dict[str, Any]:
    stored = next((metadata[key] for key in _METADATA if key in metadata), b"{}")
    return {name: value for name, value in json.loads(stored).items() if name in _NOTED}


def _member(name: str, size: int) -> tarfile.TarInfo:
    """The header of a member without owner and time: equal data give an equal pack."""
    member = tarfile.TarInfo(str(PurePosixPath(name)))
    member.size = size
    member.mode = 0o644
    return member
