"""The functions of the commands, which define their options by signature and docstring."""
