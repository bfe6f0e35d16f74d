"""Errors of `fit`, `validate`, `test` and `predict` that need no torch: answered before it loads.

Torch and Lightning take seconds to import. What is checked here is checked again by what runs
later, so that a check may be left out but never refuses what would work.
"""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path

from im2tex.commands.trainer.config_layers import effective, split_layers
from im2tex.commands.trainer.flags import FLAGS
from im2tex.errors import Im2TexError
from im2tex.model.folders import is_model_folder
from im2tex.renames import current_setting

_NO_RUN = ("-h", "--help", "--print_config", "--print_config=")


def check_early(subcommand: str, arguments: Sequence[str]) -> None:
    """Refuses unknown flags, missing configurations and a missing checkpoint.

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
    layers = split_layers(arguments)
    path = effective(layers, "ckpt_path")
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


def unknown_flag(name: str, subcommand: str) -> str:
    """The message for a flag that does not exist, with the nearest one that does."""
    near = difflib.get_close_matches(name, FLAGS, n=1, cutoff=0.7)
    hint = f"; did you mean --{near[0]}?" if near else "."
    return f"unrecognized arguments: --{name}{hint} See `im2tex {subcommand} --help`."


def is_known_flag(argument: str) -> bool:
    """Whether an argument such as `--model.encoder_args.channels=[4]` begins with a known flag."""
    name = current_setting(argument.removeprefix("--").partition("=")[0].rstrip("+"))
    parts = name.split(".")
    if name in ("", "help", "print_config") or parts[-1] == "help":
        return True
    if len(parts) == 1 and any(flag.startswith(f"{name}.") for flag in FLAGS):
        return True
    # What follows the name of a flag belongs to its value.
    return any(".".join(parts[: n + 1]) in FLAGS for n in range(len(parts)))
