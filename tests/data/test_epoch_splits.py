"""Training splits made for single epochs: made in time, and removed after two epochs."""

import os
import sys

from ink_factory import row

from im2tex.data.preparation.epoch_splits import EpochSplitBuilder
from im2tex.data.store import Split, write_split

COPY = "import shutil, sys; shutil.copy(*sys.argv[1:])"


class Copies:
    """The split of each epoch is a copy of one split."""

    def __init__(self, template):
        self.template = template

    def epoch_name(self, epoch):
        return f"train-{epoch}"

    def path(self, root, split):
        return root / f"{split}.parquet"

    def is_current(self, root, epoch):
        return self.path(root, self.epoch_name(epoch)).exists()

    def command(self, root, epoch):
        target = self.path(root, self.epoch_name(epoch))
        return [sys.executable, "-c", COPY, str(self.template), str(target)]


def test_epoch_splits_older_than_two_epochs_are_removed_with_derived_files(tmp_path):
    template, root = tmp_path / "template.parquet", tmp_path / "root"
    root.mkdir()
    write_split(template, [row("ab")], {})
    splits = Copies(template)
    builder = EpochSplitBuilder(splits)
    for epoch in range(4):
        builder.ensure_ready(root, epoch, more=False)
        split = Split(splits.path(root, builder.name(epoch)))
        assert len(split.geometry) == 1
    assert sorted(os.listdir(root)) == [".arrow", "train-2.parquet", "train-3.parquet"]
    assert sorted(os.listdir(root / ".arrow")) == [
        f"train-{epoch}.{kind}.arrow" for epoch in (2, 3) for kind in ("geometry", "samples")
    ]
