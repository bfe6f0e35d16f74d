"""`im2tex fit`, `validate`, `test` and `predict`, on LightningCLI."""
