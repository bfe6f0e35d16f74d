"""Label graphs of formulas, as CROHME's scorer compares them."""
