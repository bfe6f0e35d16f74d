"""What a person is told when something below says it in many lines, or in a traceback."""

from __future__ import annotations

import difflib
import errno
import re
from collections.abc import Collection

_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_NO_ACCESS = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST, errno.EISDIR)


def of_parser(error: Exception, subcommand: str, flags: Collection[str]) -> str:
    """What jsonargparse found, on one line: what was given, and what was expected.

    Args:
        error: its message names the type of each alternative that a value failed against, on a
            line each.
        subcommand: whose help to point to.
        flags: the flags there are, without dashes, to name the one nearest to an unknown one.
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
        near = difflib.get_close_matches(unknown[1], flags, n=1, cutoff=0.7)
        message += f"; did you mean --{near[0]}?" if near else ""
    line = " ".join(message.split()).rstrip(".")
    return f"{line}{'' if line.endswith('?') else '.'} See `im2tex {subcommand} --help`."


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


def of_processes(error: Exception) -> str | None:
    """What another process found: our own error, or a weight that several devices wait for."""
    if "were not used in producing" in str(error):
        return (
            "some weights have no part in the loss (the fine rows under attention coarse_only, for "
            "one), and several devices wait for their gradients: add "
            "--trainer.strategy=ddp_find_unused_parameters_true."
        )
    return _from_worker(error)


def _from_worker(error: Exception) -> str | None:
    """The message of our own error, where another process passed it on within a traceback."""
    mark = "im2tex.errors.Im2TexError: "
    text = str(error)
    return text.rsplit(mark, 1)[1].strip() if mark in text else None
