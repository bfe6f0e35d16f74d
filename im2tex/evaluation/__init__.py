"""What a run leaves behind for people: tables, result files, pictures."""
