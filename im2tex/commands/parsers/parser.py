"""The parser of every command, and the type of a group of them."""

from __future__ import annotations

import argparse
from typing import Any

from im2tex.errors import Im2TexError

Commands = Any
"""A group of subcommands; argparse's own type of it is private."""


class Parser(argparse.ArgumentParser):
    """Reports what is wrong as our own error, without a dump of the usage."""

    def error(self, message: str) -> None:  # type: ignore[override]
        """Raises it.

        Raises:
            Im2TexError: always.
        """
        raise Im2TexError(f"{message}. See `{self.prog} --help`.")
