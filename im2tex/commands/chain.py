"""`im2tex chain`: trains several configurations in a row, then tests the last model.

Pretraining on synthetic handwriting, fine-tuning on CROHME and the test are one command. After an
interruption, the same command resumes.

A step counts as complete if its `last.ckpt` states that the fit ended; the exit status alone does
not suffice.
"""

from __future__ import annotations

import fcntl
import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from im2tex.errors import Im2TexError
from im2tex.utils.files import newest_file, wrap_os_errors, write_text_atomic
from im2tex.utils.stopping import STOP_REQUEST, StoppedBySignal

_DONE = "done"
_LAST, _BEST = "**/checkpoints/last.ckpt", "**/checkpoints/best.ckpt"
_RESUME = "repeat the same command to resume."


def chain(steps: Sequence[str], *, folder: Path, name: str = "", flags: Sequence[str] = ()) -> None:
    """Fits each configuration from the best checkpoint of the one before, and tests the last.

    After an interruption, the same command resumes. Flags of `im2tex fit` and `im2tex test` after
    -- hold for every step and for the test; they override the configurations, and the flags of a
    step, which hold for its fit only, override them.

    Args:
        steps: configuration file; with flags of its own in quotes, such as 'C.yaml
            --trainer.max_epochs 4'.
        folder: folder of the chain: a folder per step, the test, and results/.
        name: name of the result; the folder's name if not given.
        flags: flags of `im2tex fit` and `im2tex test` for every step and the test.

    Raises:
        Im2TexError: if a configuration does not exist, its quotes do not match, the folder holds
            another chain, or a step fails.
        StoppedBySignal: after SIGTERM or Ctrl-C.
    """
    try:
        commands = [shlex.split(step) for step in steps]
    except ValueError as error:
        raise Im2TexError(f"a step's quotes do not match ({error}): {' | '.join(steps)}.") from None
    for words in commands:
        if not words or not Path(words[0]).is_file():
            raise Im2TexError(f"there is no configuration {words[0] if words else '(empty)'}.")
    commands = [[config, *flags, *own] for config, *own in commands]
    with _lock_folder(folder, commands), STOP_REQUEST.listening():
        try:
            best = _run_steps(commands, folder)
            _run_test(best, flags, commands, folder, name or folder.resolve().name)
        except KeyboardInterrupt:
            if STOP_REQUEST.signum is None:
                raise
            raise StoppedBySignal(STOP_REQUEST.advice(), STOP_REQUEST.signum) from None


def _run_steps(commands: Sequence[Sequence[str]], folder: Path) -> Path:
    """Runs the fits that are not complete, and returns the best checkpoint of the last one."""
    best: Path | None = None
    for number, (config, *flags) in enumerate(commands, 1):
        step = folder / f"{number}-{Path(config).stem}"
        if (step / _DONE).exists() and _fit_ended(step):
            print(f"{step}: complete", flush=True)
        else:
            (step / _DONE).unlink(missing_ok=True)
            start = ["--model.init_from", str(best)] if best else []
            resume = ["--ckpt_path", "last"] if newest_file(step, _LAST) else []
            _run(
                *("fit", "--config", config, *flags, *start),
                *("--trainer.default_root_dir", str(step), *resume),
            )
            if not _fit_ended(step):
                raise Im2TexError(
                    f"{step}: `im2tex fit` ended with status 0, but its last.ckpt is short of the "
                    f"end; {_RESUME}"
                )
            (step / _DONE).touch()
        best = newest_file(step, _BEST)
        if best is None:
            raise Im2TexError(
                f"{step} holds no best.ckpt, since its fit had no validation: let "
                "trainer.check_val_every_n_epoch be at most trainer.max_epochs."
            )
    assert best is not None
    return best


def _run_test(
    best: Path, flags: Sequence[str], commands: Sequence[Sequence[str]], folder: Path, name: str
) -> None:
    """Tests a checkpoint, and adds the commands that trained it to the result."""
    from im2tex.evaluation.results import read_result

    result = folder / "results" / f"{name}.json"
    if result.exists():
        print(f"{result}: complete", flush=True)
    else:
        _run(
            *("test", *flags, "--ckpt_path", str(best)),
            *("--trainer.default_root_dir", str(folder / "test")),
            *("--report.folder", str(folder), "--report.study", "results", "--report.name", name),
        )
    record = read_result(result)
    if "chain" not in record:
        record["chain"] = list(map(shlex.join, commands))
        write_text_atomic(result, json.dumps(record, indent=2, ensure_ascii=False) + "\n")


@contextmanager
def _lock_folder(folder: Path, commands: Sequence[Sequence[str]]) -> Iterator[None]:
    """Locks the folder of a chain, and writes or compares the steps in its `chain.txt`."""
    note = folder / "chain.txt"
    text = "".join(f"{shlex.join(words)}\n" for words in commands)
    with wrap_os_errors(f"write {note}"):
        folder.mkdir(parents=True, exist_ok=True)
        file = note.open("a+", encoding="utf-8")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Im2TexError(
                f"another process of `im2tex chain` is at work in {folder}: wait for it, or "
                "choose another --folder."
            ) from None
        except OSError:
            pass  # a file system without locks
        file.seek(0)
        noted = file.read()
        if not noted:
            file.write(text)
            file.flush()
        elif noted != text:
            raise Im2TexError(
                f"{folder} holds another chain, see {note}: choose another --folder, or repeat "
                "the command of that chain to resume it."
            )
        yield


def _fit_ended(step: Path) -> bool:
    """Whether the newest fit of a step ended; true without a checkpoint that states it."""
    from im2tex.model.checkpoint import ENDED, read_checkpoint

    last = newest_file(step, _LAST)
    return last is None or bool(read_checkpoint(last).get(ENDED, True))


def _run(*arguments: str) -> None:
    """Runs a command of im2tex in a process of its own, which frees all memory at its end.

    A signal to the chain is passed on to it.

    Raises:
        StoppedBySignal: if a signal ended the chain or the command.
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
    command = f"`im2tex {arguments[0]}`"
    for signum in (signal.SIGTERM, signal.SIGINT):
        if STOP_REQUEST.signum == signum or status in (-signum, 128 + signum):
            raise StoppedBySignal(f"{command} was stopped by {signum.name}; {_RESUME}", signum)
    if status < 0:
        raise Im2TexError(
            f"{command} was killed by {signal.Signals(-status).name} (out of memory?); {_RESUME}"
        )
    if status:
        raise Im2TexError(f"{command} ended with {status}; {_RESUME}")
