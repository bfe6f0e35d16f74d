"""Images of handwriting: opened, cleaned up, and made like what the models were trained on."""
