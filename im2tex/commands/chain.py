"""`im2tex chain`: trainings in a row, each from the best checkpoint of the one before, then a test.

Pretraining on synthetic handwriting, fine-tuning on CROHME and the test of 2013 and 2014 are one
command. Repeated after an interruption, it goes on where it stopped.

That a training came to its end is said by its `last.ckpt`, not by its exit status alone.
"""

from __future__ import annotations

import fcntl
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from im2tex.errors import Im2TexError
from im2tex.evaluation.results import read_result
from im2tex.model.checkpoint import ENDED, read_checkpoint
from im2tex.utils.files import write_text_atomic
from im2tex.utils.stopping import STOP_REQUEST, StoppedBySignal

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
    with _claimed(folder, made_of), STOP_REQUEST.listening():
        try:
            _work(parts, made_of, folder, flags, name or folder.resolve().name)
        except KeyboardInterrupt:
            if STOP_REQUEST.signum is None:
                raise
            raise StoppedBySignal(STOP_REQUEST.advice(), STOP_REQUEST.signum) from None


def _work(
    parts: Sequence[Sequence[str]],
    made_of: Sequence[str],
    folder: Path,
    flags: Sequence[str],
    result: str,
) -> None:
    """The steps and the test, as far as they are not done."""
    best: Path | None = None
    for number, (config, *own) in enumerate(parts, 1):
        place = folder / f"{number}-{Path(config).stem}"
        if (place / _DONE).exists() and _ended(place):
            print(f"{place}: done before", flush=True)
        else:
            (place / _DONE).unlink(missing_ok=True)
            start = ["--model.init_from", str(best)] if best else []
            going_on = _newest(place, "last.ckpt") is not None
            _run(
                *("fit", "--config", config, *flags, *own, *start),
                *("--trainer.default_root_dir", str(place)),
                *(("--ckpt_path", "last") if going_on else ()),
            )
            if not _ended(place):
                raise Im2TexError(
                    f"{place}: `im2tex fit` ended with status 0, but its last.ckpt is short of the "
                    "end; repeat the same command to go on from there."
                )
            (place / _DONE).touch()
        best = _newest(place, "best.ckpt")
        if best is None:
            raise Im2TexError(f"{place} holds no best.ckpt: does its configuration validate?")
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
        record["chain"] = list(made_of)
        write_text_atomic(written, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def _claimed(folder: Path, steps: Sequence[str]) -> Iterator[None]:
    """Writes down what the folder's chain is, or checks that it is this one, and locks it."""
    note = folder / "chain.txt"
    text = "\n".join(steps) + "\n"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with note.open("a+", encoding="utf-8") as file:
            if not _locked(file.fileno()):
                raise Im2TexError(
                    f"another process of `im2tex chain` is at work in {folder}: wait for it, or "
                    "choose another --out."
                )
            file.seek(0)
            found = file.read()
            if not found:
                file.write(text)
                file.flush()
            elif found != text:
                raise Im2TexError(
                    f"{folder} holds another chain, see {note}: choose another --out, or repeat "
                    "that chain's own command to go on with it."
                )
            yield
    except OSError as error:
        raise Im2TexError(f"cannot write {note}: {error.strerror or error}.") from error


def _locked(file: int) -> bool:
    """Locks a file until it is closed; where the file system has no locks, it goes without."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True


def _newest(place: Path, name: str) -> Path | None:
    found = place.glob(f"**/checkpoints/{name}")
    return max(found, key=lambda path: path.stat().st_mtime, default=None)


def _ended(place: Path) -> bool:
    """Whether a step's newest fit came to its end; true where no checkpoint can tell."""
    last = _newest(place, "last.ckpt")
    if last is None:
        return True
    content = read_checkpoint(last)
    if ENDED in content:
        return bool(content[ENDED])
    # Of a version that did not write it: epochs and steps, by the run's own configuration.
    run = last.parent.parent
    configs = sorted(run.glob("config*.yaml"), key=lambda path: path.stat().st_mtime)
    try:
        settings = yaml.safe_load(configs[-1].read_text(encoding="utf-8"))["trainer"]
        done = content["loops"]["fit_loop"]["epoch_progress"]["current"]["processed"]
    except (OSError, ValueError, LookupError, TypeError, yaml.YAMLError):
        return True
    limits = (
        (settings.get("max_epochs"), done),
        (settings.get("max_steps"), content.get("global_step", 0)),
    )
    known = [(limit, reached) for limit, reached in limits if isinstance(limit, int) and limit > 0]
    stopped_early = any(
        isinstance(state, dict) and state.get("stopped_epoch") for state in _states(content)
    )
    return stopped_early or not known or any(reached >= limit for limit, reached in known)


def _states(content: dict[str, Any]) -> Collection[Any]:
    """The states of the callbacks of a checkpoint."""
    found = content.get("callbacks")
    return found.values() if isinstance(found, dict) else ()


def _run(*arguments: str) -> None:
    """One command in a process of its own, so that it leaves no memory and no state behind.

    A signal to the chain is passed on to it.

    Raises:
        Stopped: if a signal ended the chain or the command.
        Im2TexError: if the command failed.
    """
    print(f"+ {shlex.join(['im2tex', *arguments])}", flush=True)
    process = subprocess.Popen([sys.executable, "-m", "im2tex", *arguments])

    def pass_on(signum: int) -> bool:
        with suppress(ProcessLookupError):
            process.send_signal(signum)
        return True

    STOP_REQUEST.pass_on = pass_on
    try:
        status = process.wait()
    finally:
        STOP_REQUEST.pass_on = None
    what = f"`im2tex {arguments[0]}`"
    on = "repeat the same command to go on from there."
    for signum in (signal.SIGTERM, signal.SIGINT):
        if STOP_REQUEST.signum == signum or status in (-signum, 128 + signum):
            raise StoppedBySignal(f"{what} was stopped by {signum.name}; {on}", signum)
    if status < 0:
        raise Im2TexError(
            f"{what} was killed by {signal.Signals(-status).name} (did memory run out?); {on}"
        )
    if status:
        raise Im2TexError(f"{what} ended with {status}; {on}")
