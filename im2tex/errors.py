"""The one class of error that a person can cause, and put right."""


class Im2TexError(Exception):
    """Something a person can put right: a file, a value, a flag.

    The message names what was given, what was expected, and the way out. The command prints it
    without a traceback and exits with `status`.
    """

    status = 2
