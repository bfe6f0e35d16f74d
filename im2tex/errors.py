"""The base class of errors that the user can correct."""


class Im2TexError(Exception):
    """An error that the user can correct: a file, a value or a flag.

    The message is one line with the given value, what was expected, and a way out. The command
    prints it without a traceback and exits with `status`.
    """

    status = 2
