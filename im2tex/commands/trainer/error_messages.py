"""What a person is told when something below says it in many lines, or in a traceback."""

from __future__ import annotations

import errno
import re
import signal
import traceback
from collections.abc import Callable

from im2tex.commands.trainer.early_checks import unknown_flag
from im2tex.errors import Im2TexError
from im2tex.training.callbacks.stop_at_nan import DivergedError
from im2tex.utils.stopping import StoppedBySignal

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


def of_parser(error: Exception, subcommand: str) -> str:
    """What jsonargparse found, on one line: what was given, and what was expected.

    Args:
        error: its message names the type of each alternative that a value failed against, on a
            line each.
        subcommand: whose help to point to.
    """
    message = str(error)
    key = re.search(r'Parser key "([^"]+)"', message)
    types = re.findall(
        r"Expected an? (.+?)(?: but .*|: .*|\. Got value.*)?$", message, re.MULTILINE
    )
    given = re.search(r"(?:Given value|Got value): (.*)", message)
    unknown = re.search(r"[Uu]nrecognized arguments: --([^\s=]+)", message)
    if key and types and given:
        names = dict.fromkeys(name for kind in types for name in _alternatives(kind))
        message = f"{key[1]} should be {' or '.join(names)}, not {given[1].strip()!r}"
    elif unknown:
        return unknown_flag(unknown[1], subcommand)
    line = " ".join(message.split()).rstrip(".")
    return f"{line}. See `im2tex {subcommand} --help`."


def _alternatives(kind: str) -> list[str]:
    """What jsonargparse expected, in the words of a person who types it."""
    if kind == "path":
        return []  # of a file with the value in it: nobody means that
    if "import path" in kind:
        return ["the name of a class"]
    literal = re.fullmatch(r"typing\.Literal\[(.*)\]", kind)
    if literal:
        return [choice.strip(" '\"") for choice in literal[1].split(",")]
    name = re.sub(r"<class '(?:.*\.)?(\w+)'>", r"\1", kind)
    return ["null" if name == "NoneType" else name]


def of_files(error: OSError) -> str | None:
    """What to do about a folder that cannot be used or a disk that is full; None for all else."""
    if error.errno in _NO_ROOM:
        way = "Make room there"
    elif error.errno in _NO_ACCESS:
        way = "Make it accessible"
    else:
        return None
    return (
        f"{error.filename or 'a file of the run'}: {error.strerror}. {way}, or choose another "
        "folder with --trainer.default_root_dir. A fit goes on from its last checkpoint with "
        "--ckpt_path last."
    )


def of_processes(error: Exception) -> Exception | None:
    """What to raise instead of what another process, or waiting for one, ended with.

    Args:
        error: of a process that several devices or the loaders of data need.

    Returns:
        Our own error, which the other process passed on within a traceback, or what to do about
        a loader that was killed or weights that several devices wait for; None for all else.
    """
    text = str(error)
    if "were not used in producing" in text:
        return Im2TexError(
            "some weights have no part in the loss (the fine rows under attention coarse_only, for "
            "one), and several devices wait for their gradients: add "
            "--trainer.strategy=ddp_find_unused_parameters_true."
        )
    passed_on = _PASSED_ON.findall(text)
    if passed_on:
        name, message = passed_on[-1]
        return _OURS[name](message.strip())
    worker = _WORKER.search(text)
    if worker:
        how = f"by signal {worker[1].rstrip('.')}" if worker[1] else "from outside"
        return Im2TexError(
            f"a process that loads data was killed {how}; mostly memory ran out, see the system's "
            "log. Set --data.num_workers lower (0: none), or --data.batch_size, then resume from "
            "the last checkpoint with --ckpt_path last."
        )
    if "Bus error" in text or "shared memory" in text:
        return Im2TexError(
            "the processes that load data found no room in shared memory (/dev/shm): make it "
            "larger (docker: --shm-size), or set --data.num_workers 0."
        )
    return None


def of_restoring(error: BaseException, path: str | None) -> Im2TexError | None:
    """What to do about a checkpoint that a trainer could not take over; None for all else.

    Args:
        error: that ended the command.
        path: of the checkpoint.
    """
    if path is None or not isinstance(error, Exception):
        return None
    frames = [(f.filename, f.name) for f in traceback.extract_tb(error.__traceback__)]
    here = any(
        file.endswith("checkpoint_connector.py") and name.lstrip("_").startswith(("re", "load"))
        for file, name in frames
    )
    if not here and not _RESTORING.search(str(error)):
        return None
    said = " ".join(str(error).split())
    if isinstance(error, Im2TexError):
        return None if path in said else Im2TexError(f"{path}: {said}")
    return Im2TexError(
        f"{path} cannot be gone on from ({type(error).__name__}: {said:.200}): the file is "
        "damaged, or of another version. Take another checkpoint."
    )


_RESTORING = re.compile(r"checkpoint_connector\.py\", line \d+, in _?(?:restore|resume)")


def _stopped(message: str) -> StoppedBySignal:
    signum = signal.SIGINT if "SIGINT" in message else signal.SIGTERM
    return StoppedBySignal(message, signum)


_OURS: dict[str, Callable[[str], Exception]] = {
    "Im2TexError": Im2TexError,
    "DivergedError": DivergedError,
    "Stopped": _stopped,
}
_PASSED_ON = re.compile(rf"^im2tex\.[\w.]*\b({'|'.join(_OURS)}): (.*)", re.MULTILINE)
_WORKER = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: (.*?\.)|exited)"
)
