"""Files, checks, progress bars and PNG: what every package may use."""
