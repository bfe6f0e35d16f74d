"""Checks of `fit`, `validate`, `test` and `predict` that need no torch and therefore take no time.

Importing torch and Lightning takes seconds. All checks are repeated later: a check here may be
incomplete, but must not refuse a valid command.
"""

from __future__ import annotations

import difflib
import warnings
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from im2tex.commands.trainer.config_layers import last_value, split_layers
from im2tex.errors import Im2TexError
from im2tex.model.folders import is_model_folder
from im2tex.renames import current_setting

FLAGS_FILE = Path(__file__).with_name("flags.txt")
_NO_RUN = ("-h", "--help", "--print_config", "--print_config=")


def check_early(subcommand: str, arguments: Sequence[str]) -> None:
    """Checks for unknown flags, missing configurations and a missing checkpoint.

    Args:
        subcommand: of LightningCLI.
        arguments: the rest of the command line.

    Raises:
        Im2TexError: for the first error found.
    """
    for argument in arguments:
        if argument.startswith("--") and not is_known_flag(argument):
            name = argument.removeprefix("--").partition("=")[0]
            raise Im2TexError(unknown_flag(name, subcommand))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # the command repeats them
        path = last_value(split_layers(arguments), "ckpt_path")
    if any(argument.startswith(_NO_RUN) for argument in arguments):
        return
    if path in (None, "null", ""):
        if subcommand != "fit":
            raise Im2TexError(
                f"im2tex {subcommand} needs a trained model: pass --ckpt_path, with the path of a "
                "checkpoint, a model folder or packaged model, or `last` for the newest checkpoint "
                "of a run."
            )
    elif path != "last" and not Path(str(path)).exists() and not is_model_folder(str(path)):
        raise Im2TexError(f"there is no checkpoint {path}.")


@cache
def known_flags() -> frozenset[str]:
    """The flags of LightningCLI, without dashes, as `tests/flag_list.py` writes them."""
    return frozenset(FLAGS_FILE.read_text(encoding="utf-8").split())


def unknown_flag(name: str, subcommand: str) -> str:
    """The message for an unknown flag, with the most similar one."""
    near = difflib.get_close_matches(name, sorted(known_flags()), n=1, cutoff=0.7)
    hint = f"; did you mean --{near[0]}?" if near else "."
    return f"unrecognized arguments: --{name}{hint} See `im2tex {subcommand} --help`."


def is_known_flag(argument: str) -> bool:
    """Whether an argument such as `--model.encoder_args.channels=[4]` begins with a known flag."""
    name = current_setting(argument.removeprefix("--").partition("=")[0].rstrip("+"))
    parts = name.split(".")
    if name in ("", "help", "print_config") or parts[-1] == "help":
        return True
    if len(parts) == 1 and any(flag.startswith(f"{name}.") for flag in known_flags()):
        return True
    # The parts after the name of a flag belong to its value.
    return any(".".join(parts[: n + 1]) in known_flags() for n in range(len(parts)))
