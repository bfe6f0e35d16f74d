"""`im2tex chain`: trainings in a row, each from the best checkpoint of the one before, then a test.

Pretraining on synthetic handwriting, fine-tuning on CROHME and the test of 2013 and 2014 are one
command. Repeated after an interruption, it goes on where it stopped.
"""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.report.results import read_result, write_whole

_DONE = "done"


def chain(steps: Sequence[str], folder: Path, *, flags: Sequence[str] = (), name: str = "") -> None:
    """Trains every step that is not done, and tests the last one's best checkpoint.

    Each step has a folder of its own, `1-STEM`, `2-STEM`, … by its configuration's name, in which
    the file `done` says that it is complete. The test's result lies in `results/`, and says under
    `chain` what was trained.

    Args:
        steps: a configuration each, with flags of `im2tex fit` behind it if need be.
        folder: where everything of this chain lies.
        flags: of `im2tex fit`, for every step; a step's own win over them.
        name: of the result; the folder's if not given.

    Raises:
        Im2TexError: if a configuration is missing, its flags cannot be told apart, another chain
            lies in the folder, or a step fails.
    """
    try:
        parts = [shlex.split(step) for step in steps]
    except ValueError as error:
        raise Im2TexError(f"a step's quotes do not match ({error}): {' | '.join(steps)}.") from None
    for part in parts:
        if not part or not Path(part[0]).is_file():
            raise Im2TexError(f"there is no configuration {part[0] if part else '(empty)'}.")
    made_of = [shlex.join([config, *flags, *own]) for config, *own in parts]
    _claim(folder, made_of)
    best: Path | None = None
    for number, (config, *own) in enumerate(parts, 1):
        place = folder / f"{number}-{Path(config).stem}"
        if (place / _DONE).exists():
            print(f"{place}: done before", flush=True)
        else:
            start = ["--model.init_from", str(best)] if best else []
            going_on = _newest(place, "last.ckpt") is not None
            _run(
                *("fit", "--config", config, *flags, *own, *start),
                *("--trainer.default_root_dir", str(place)),
                *(("--ckpt_path", "last") if going_on else ()),
            )
            (place / _DONE).touch()
        best = _newest(place, "best.ckpt")
        if best is None:
            raise Im2TexError(f"{place} holds no best.ckpt: does its configuration validate?")
    result = name or folder.resolve().name
    written = folder / "results" / f"{result}.json"
    if written.exists():
        print(f"{written}: tested before", flush=True)
    else:
        _run(
            *("test", "--ckpt_path", str(best), "--trainer.default_root_dir", str(folder / "test")),
            *("--report.folder", str(folder), "--report.study", "results", "--report.name", result),
        )
    # A test knows its checkpoint; how that came to be, only the chain does.
    record = read_result(written)
    if "chain" not in record:
        record["chain"] = made_of
        write_whole(written, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


def _claim(folder: Path, steps: Sequence[str]) -> None:
    """Writes down what the folder's chain is, or checks that it is this one."""
    note = folder / "chain.txt"
    text = "\n".join(steps) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            note.write_text(text, encoding="utf-8")
        elif note.read_text(encoding="utf-8") != text:
            raise Im2TexError(
                f"{folder} holds another chain, see {note}: choose another --out, or repeat that "
                "chain's own command to go on with it."
            )
    except OSError as error:
        raise Im2TexError(f"cannot write {note}: {error.strerror or error}.") from error


def _newest(place: Path, name: str) -> Path | None:
    found = place.glob(f"**/checkpoints/{name}")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _run(*arguments: str) -> None:
    """One command in a process of its own, so that it leaves no memory and no state behind."""
    print(f"+ {shlex.join(['im2tex', *arguments])}", flush=True)
    done = subprocess.run([sys.executable, "-m", "im2tex", *arguments], check=False)
    if done.returncode:
        raise Im2TexError(
            f"`im2tex {arguments[0]}` ended with {done.returncode}; repeat the same command to go "
            "on from there."
        )
