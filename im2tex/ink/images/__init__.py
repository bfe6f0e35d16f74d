"""Images of handwriting: opened, cleaned, and converted to ink on paper as in training."""
