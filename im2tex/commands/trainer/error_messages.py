"""One-line messages for errors of jsonargparse, the file system, other processes and checkpoints.

The functions return None for errors that they do not explain.
"""

from __future__ import annotations

import errno
import re
import signal
import traceback
from collections.abc import Callable

from im2tex.errors import Im2TexError
from im2tex.training.callbacks.stop_at_nan import DivergedError
from im2tex.utils.files import error_reason
from im2tex.utils.stopping import StoppedBySignal

_UNUSABLE = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS),
    *(errno.ENOTDIR, errno.EEXIST, errno.EISDIR),
)


def explain_parser_error(error: Exception, subcommand: str) -> Im2TexError:
    """Explains an error of the command line or a configuration.

    Args:
        error: of jsonargparse; its message has the expected types and the value in several lines.
        subcommand: the command whose help the message names.
    """
    message = str(error)
    key = re.search(r'Parser key "([^"]+)"', message)
    types = re.findall(
        r"Expected an? (.+?)(?: but .*|: .*|\. Got value.*)?$", message, re.MULTILINE
    )
    value = re.search(r"(?:Given value|Got value): (.*)", message)
    if key and types and value:
        names = dict.fromkeys(name for kind in types for name in _readable_types(kind))
        message = f"{key[1]} must be {' or '.join(names)}, got {value[1].strip()!r}"
    line = " ".join(message.split()).rstrip(".")
    return Im2TexError(f"{line}. See `im2tex {subcommand} --help`.")


def _readable_types(kind: str) -> list[str]:
    """The alternatives of a type, as a user types them."""
    if kind == "path":
        return []  # a file that holds the value
    if "import path" in kind:
        return ["the name of a class"]
    literal = re.fullmatch(r"typing\.Literal\[(.*)\]", kind)
    if literal:
        return [choice.strip(" '\"") for choice in literal[1].split(",")]
    name = re.sub(r"<class '(?:.*\.)?(\w+)'>", r"\1", kind)
    return ["null" if name == "NoneType" else name]


def explain_os_error(error: OSError) -> Im2TexError | None:
    """Explains a folder that is not writable, or a full disk."""
    if error.errno not in _UNUSABLE:
        return None
    return Im2TexError(
        f"cannot use {error.filename or 'a file of the run'}: {error_reason(error)}. Free "
        "disk space there or change its permissions, or choose another folder with "
        "--trainer.default_root_dir. Resume a fit with --ckpt_path last."
    )


def explain_worker_error(error: Exception) -> Exception | None:
    """Explains the end of another process, or of this process while it waited for another.

    Args:
        error: of a process of a device or of a data loader. The error of the other process may
            stand in its message, as a traceback.

    Returns:
        The error that the other process raised, or what to do.
    """
    text = str(error)
    if "were not used in producing" in text:
        return Im2TexError(
            "some weights have no part in the loss (such as the fine rows with attention "
            "coarse_only), and several devices wait for their gradients: add "
            "--trainer.strategy=ddp_find_unused_parameters_true."
        )
    passed_on = _PASSED_ON.findall(text)
    if passed_on:
        name, message = passed_on[-1]
        return _OWN_ERRORS[name](message.strip())
    worker = _DEAD_WORKER.search(text)
    if worker:
        how = f"by signal {worker[1].rstrip('.')}" if worker[1] else "from outside"
        return Im2TexError(
            f"a process that loads data was killed {how}, probably for lack of memory. Lower "
            "--data.num_workers (0 loads in this process) or --data.batch_size, and resume with "
            "--ckpt_path last."
        )
    if "Bus error" in text or "shared memory" in text:
        return Im2TexError(
            "the processes that load data found no space in shared memory (/dev/shm): enlarge it "
            "(docker: --shm-size), or set --data.num_workers 0."
        )
    return None


def explain_restore_error(error: BaseException, path: str | None) -> Im2TexError | None:
    """Explains a checkpoint that a trainer cannot restore.

    Args:
        error: that ended the command.
        path: of the checkpoint.
    """
    if path is None or not isinstance(error, Exception):
        return None
    if not _RESTORING.search("".join(traceback.format_exception(error))):
        return None
    message = " ".join(str(error).split())
    if isinstance(error, Im2TexError):
        return None if path in message else Im2TexError(f"{path}: {message}")
    return Im2TexError(
        f"cannot resume from {path} ({type(error).__name__}: {message:.200}): the file is damaged, "
        "or of another version. Use another checkpoint."
    )


def _stopped_error(message: str) -> StoppedBySignal:
    signum = signal.SIGINT if "SIGINT" in message else signal.SIGTERM
    return StoppedBySignal(message, signum)


_OWN_ERRORS: dict[str, Callable[[str], Exception]] = {
    "Im2TexError": Im2TexError,
    "DivergedError": DivergedError,
    "StoppedBySignal": _stopped_error,
}
_PASSED_ON = re.compile(rf"^im2tex\.[\w.]*\b({'|'.join(_OWN_ERRORS)}): (.*)", re.MULTILINE)
_DEAD_WORKER = re.compile(
    r"DataLoader worker \(pid(?:\(s\))? [\d, ]+\) (?:is killed by signal: (.*?\.)|exited)"
)
# In the traceback of this process, or that of another process in the error's message.
_RESTORING = re.compile(r"checkpoint_connector\.py\", line \d+, in _?(?:restore|resume|load)")
