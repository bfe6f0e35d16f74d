"""Source `folder`: images and InkML files of the user's own, with labels."""
