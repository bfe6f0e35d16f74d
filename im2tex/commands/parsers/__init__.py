"""The options of im2tex's own commands, in light files.

Help and wrong options are answered from here; what a command does is imported when it runs, for
torch alone takes seconds.
"""

from im2tex.commands.parsers import data, formulas, models, results
from im2tex.commands.parsers.parser import Commands, Parser

__all__ = ["PASSES_ON", "Parser", "add_commands"]

PASSES_ON = frozenset(["chain"])
"""Commands that hand what follows `--` on to another, as `flags`."""


def add_commands(commands: Commands) -> None:
    """Adds every command; each one's parser has the function that runs it as `run`.

    That function gives the exit status: 0, or 1 where a command counts failures and there were
    some.
    """
    preparing = commands.add_parser("data", help="prepare data sets")
    actions = preparing.add_subparsers(dest="action", required=True, metavar="ACTION")
    for add in (data.prepare, data.glyphs, data.show):
        add(actions)
    for add in (
        models.components,
        formulas.normalize,
        formulas.render,
        models.read,
        models.export,
        results.score,
        results.compare,
        results.report,
        models.chain,
        formulas.ngram,
    ):
        add(commands)
