"""Source `folder`: a user's own images and InkML files, with or without labels."""
