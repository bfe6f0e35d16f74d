"""The built-in sources, a module each."""
