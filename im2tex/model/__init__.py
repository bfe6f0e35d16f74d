"""A trained recogniser: `Recognizer`, `Ensemble`, their files. Needs no Lightning."""
