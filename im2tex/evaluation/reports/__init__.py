"""Tables, study pages and model cards."""
