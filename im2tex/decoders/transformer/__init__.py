"""The decoder `transformer`."""
