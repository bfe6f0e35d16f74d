"""Source `crohme`: the CROHME competitions, from the published InkML files."""
