"""From a store to batches: who is trained on, who is tested on, and that everyone is counted."""

from collections import Counter
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ink_factory import png, row, square

from im2tex.data.datamodule import FormulaDataModule
from im2tex.data.preprocessing import Preprocessing
from im2tex.data.sample import Sample
from im2tex.data.store import write_split
from im2tex.errors import Im2TexError
from im2tex.ink.ink import Ink

RULE = Preprocessing(symbol_size=12, max_height=64, max_width=128)
GOOD = [row("x+" * (i % 3) + "y", key=f"good{i}") for i in range(20)]
BROKEN = Sample("broken", "x", ("x",), image=b"no picture")
EMPTY = Sample("empty", "x", ("x",), Ink(()))
LONG = row("1" * 9, side=4, key="long")
WIDE = row("x" * 8, gap=30, key="wide")
UNLABELLED = Sample("unlabelled", "", (), Ink((square(0, 0),)))
PICTURE = Sample("picture", "x", ("x",), image=png(np.kron(1 - np.eye(4), np.ones((9, 9))) > 0))


def module(root, rule=RULE, rank=0, ranks=1, **settings):
    """A data module in the middle of nothing: only what it asks of a trainer is there."""
    settings.setdefault("seed", 0)  # not that of an earlier test in this process
    data = FormulaDataModule("crohme", root=str(root), num_workers=0, batch_size=4, **settings)
    counters = SimpleNamespace(processed=0, ready=0)
    data.trainer = SimpleNamespace(
        lightning_module=SimpleNamespace(preprocessing=rule),
        ckpt_path=None,
        global_rank=rank,
        world_size=ranks,
        strategy=SimpleNamespace(root_device=torch.device("cpu")),
        fit_loop=SimpleNamespace(
            epoch_progress=SimpleNamespace(current=counters),
            epoch_loop=SimpleNamespace(batch_progress=SimpleNamespace(current=counters)),
        ),
    )
    return data


def resume(data, epoch, batches):
    """Restores the counters of a trainer that stopped within an epoch."""
    data.trainer.ckpt_path = "last.ckpt"
    loop = data.trainer.fit_loop
    loop.epoch_progress = SimpleNamespace(current=SimpleNamespace(processed=epoch))
    loop.epoch_loop.batch_progress = SimpleNamespace(current=SimpleNamespace(ready=batches))


@pytest.fixture
def stored(tmp_path):
    def write(**splits):
        for name, samples in splits.items():
            write_split(tmp_path / "crohme" / f"{name}.parquet", samples, {"source": "crohme"})
        return tmp_path

    return write


def keys(loader):
    return sorted(key for batch in loader for key in batch.keys)


# ---------------------------------------------------------------- training


def test_training_drops_samples_and_counts_reasons(stored):
    bad = [BROKEN, EMPTY, LONG, WIDE, UNLABELLED]
    data = module(stored(train=[*GOOD, *bad, PICTURE]), max_length=8)
    loader = data.train_dataloader()
    assert keys(loader) == sorted([*(sample.key for sample in GOOD), "picture"])
    kept = data.statistics["train"]
    assert (kept.total, kept.used) == (26, 21)
    assert kept.dropped == {
        "unreadable": 2,
        "longer than 8 tokens": 1,
        "larger than the image limits": 1,
        "without label": 1,
    }


def test_training_without_usable_sample_raises(stored):
    data = module(stored(train=[LONG, row("1" * 10, key="longer"), WIDE]), max_length=8)
    with pytest.raises(Im2TexError, match=r"nothing is left.*2 longer than 8 tokens, 1 larger"):
        data.train_dataloader()


def test_train_samples_selects_same_subset(stored):
    root = stored(train=GOOD)
    parts = [
        keys(module(root, train_samples=7, **settings).train_dataloader())
        for settings in ({}, {}, {"batch_pixels": 5000}, {"seed": 1})
    ]
    assert len(parts[0]) == 7
    assert parts[0] == parts[1] == parts[2]
    assert parts[3] != parts[0]
    data = module(root, train_samples=7)
    data.train_dataloader()
    assert data.statistics["train"].dropped == {"beyond train_samples": 13}
    assert keys(module(root, train_samples=99).train_dataloader()) == keys(
        module(root).train_dataloader()
    )


def test_training_labels_and_boxes_agree_after_swaps_and_crops(stored):
    root = stored(train=GOOD)
    data = module(root, swap_fraction=1.0, swap_probability=1.0, subformula_crop_prob=0.5)
    original = {sample.key: sample.tokens for sample in GOOD}
    changed = 0
    for batch in data.train_dataloader():
        assert batch.boxes.shape == (len(batch.keys), 1 + max(map(len, batch.tokens)), 4)
        for key, tokens, boxes in zip(batch.keys, batch.tokens, batch.boxes, strict=True):
            known = boxes[:, 2] >= boxes[:, 0]
            assert known[: len(tokens)].all()
            assert not known[len(tokens) :].any()
            lefts = boxes[: len(tokens), 0].tolist()
            assert lefts == sorted(lefts)  # they were written in a row
            changed += tokens != original[key]
    assert changed > 5


def test_training_batch_has_boxes_even_if_unknown(stored):
    # A loss that is there in one batch and not in the next is an error in a distributed run.
    data = module(stored(train=[PICTURE]))
    (batch,) = data.train_dataloader()
    assert batch.boxes.tolist() == [[[0, 0, -1, -1]] * 2]


def test_batch_images_equal_rasterized_ink(stored):
    data = module(stored(train=GOOD))
    for batch in data.train_dataloader():
        for key, image, size in zip(batch.keys, batch.images, batch.sizes.tolist(), strict=True):
            sample = next(sample for sample in GOOD if sample.key == key)
            drawn = RULE.rasterize(sample.ink).image
            assert tuple(size) == drawn.shape
            assert np.array_equal(image[0, : size[0], : size[1]].numpy(), drawn)
            assert image.sum() == drawn.sum()


def test_batch_limits_hold_for_images(stored):
    data = module(stored(train=GOOD), batch_pixels=9000, batch_tokens=14, augmentation={})
    for batch in data.train_dataloader():
        alone = len(batch.keys) == 1
        assert len(batch.keys) <= 4
        assert alone or batch.images.numel() <= 1.1 * 9000  # planned sizes are estimates
        assert alone or len(batch.keys) * max(map(len, batch.tokens)) <= 14


# ---------------------------------------------------------------- evaluation


def test_test_loader_has_every_sample(stored):
    bad = [BROKEN, EMPTY, LONG, WIDE, UNLABELLED]
    root = stored(train=GOOD, test_2014=[*GOOD, *bad], test_2013=GOOD)
    data = module(root, max_length=8)
    first, second = data.test_dataloader()
    assert keys(first) == sorted(sample.key for sample in [*GOOD, *bad])
    assert keys(second) == sorted(sample.key for sample in GOOD)
    kept = data.statistics["test_2014"]
    assert (kept.total, kept.used, kept.dropped) == (25, 25, {})


def test_evaluation_downscales_and_counts_large_samples(stored):
    data = module(stored(train=GOOD, test_2014=[*GOOD, WIDE]), test_splits="test_2014")
    (loader,) = data.test_dataloader()
    assert data.statistics["test_2014"].downscaled == 1
    widths = {
        key: size[1]
        for batch in loader
        for key, size in zip(batch.keys, batch.sizes.tolist(), strict=True)
    }
    assert widths["wide"] <= 128


def test_evaluation_failed_image_is_blank_with_reason(stored):
    data = module(stored(train=GOOD, validation=[*GOOD[:3], BROKEN, EMPTY]))
    reasons = {}
    for batch in data.val_dataloader():
        for number, reason in batch.failed.items():
            height, width = batch.sizes[number].tolist()
            assert not batch.images[number].any()
            assert (height, width) == RULE.stride
            reasons[batch.keys[number]] = reason
    assert reasons.keys() == {"broken", "empty"}
    assert "image cannot be read" in reasons["broken"]
    assert "no stroke" in reasons["empty"]


def test_evaluation_is_unaugmented_and_deterministic(stored):
    root = stored(train=GOOD, validation=GOOD)
    data = module(root, augmentation={}, swap_fraction=1.0, subformula_crop_prob=1.0)
    for _ in range(2):
        for batch in data.val_dataloader():
            assert batch.boxes is None
            for key, tokens in zip(batch.keys, batch.tokens, strict=True):
                assert tokens == next(one.tokens for one in GOOD if one.key == key)


def test_evaluation_shards_make_up_the_split(stored):
    root = stored(train=GOOD, validation=GOOD)
    shards = [keys(module(root, rank=rank, ranks=3).val_dataloader()) for rank in range(3)]
    assert sorted(key for shard in shards for key in shard) == sorted(one.key for one in GOOD)


# ---------------------------------------------------------------- splits and settings


def test_test_splits_accept_single_name(stored):
    root = stored(train=GOOD, test_2013=GOOD, test_2014=GOOD)
    assert module(root).test_splits == ["test_2014", "test_2013"]
    assert module(root, test_splits="test_2013").test_splits == ["test_2013"]
    assert module(root, test_splits=["train"]).predict_splits == ["train"]
    assert module(root, predict_splits="validation").predict_splits == ["validation"]
    assert module(root, train_split="test_2013").train_split == "test_2013"


def test_split_unknown_name_lists_known(stored):
    data = module(stored(train=GOOD, validation=GOOD), test_splits="test_2019")
    with pytest.raises(Im2TexError, match=r"no split 'test_2019'.*There are: train, validation\."):
        data.test_dataloader()


def test_split_without_samples_raises(stored):
    data = module(stored(train=[]))
    with pytest.raises(Im2TexError, match="the split 'train' holds no sample"):
        data.train_dataloader()


def test_prepare_data_without_store_names_command(tmp_path):
    with pytest.raises(Im2TexError, match="im2tex data prepare crohme"):
        module(tmp_path).prepare_data()


@pytest.mark.parametrize(
    ("settings", "word"),
    [
        ({"source_args": {"year": 2014}}, "takes no argument 'year'"),
        ({"augmentation": {"rotate": 3}}, "did you mean 'rotation'"),
        ({"augmentation": {"scale": "big"}}, "scale='big'"),
    ],
)
def test_constructor_settings_out_of_range_raise(tmp_path, settings, word):
    with pytest.raises(Im2TexError, match=word):
        module(tmp_path, **settings)


def test_training_token_counts_are_of_the_whole_split(stored):
    data = module(stored(train=[*GOOD, LONG]), train_samples=2)
    expected = Counter(token for one in [*GOOD, LONG] for token in one.tokens)
    assert data.training_token_counts() == expected


def test_loader_without_model_raises(stored):
    data = FormulaDataModule("crohme", root=str(stored(train=GOOD)))
    with pytest.raises(Im2TexError, match="use it with a Trainer"):
        data.train_dataloader()


def test_loader_reads_position_at_first_batch(stored):
    data = module(stored(train=GOOD))
    loader = data.train_dataloader()
    iterator = iter(loader)  # as Lightning does before it restores a checkpoint's counters
    resume(data, epoch=3, batches=2)
    data.load_state_dict(data.state_dict())
    expected = [request.indices for request in loader.sampler.plan(3)[2:]]
    found = [[int(key.removeprefix("good")) for key in batch.keys] for batch in iterator]
    assert found == expected


@pytest.mark.parametrize("state", [None, {}])
def test_loader_resumed_within_an_older_epoch_starts_the_next(stored, state):
    data = module(stored(train=GOOD))
    loader = data.train_dataloader()
    if state is not None:
        data.load_state_dict(state)
    resume(data, epoch=3, batches=2)
    with pytest.warns(UserWarning, match="middle of epoch 3.*resumes at the next epoch"):
        assert list(loader) == []
    resume(data, epoch=4, batches=0)
    assert keys(loader) == sorted(sample.key for sample in GOOD)


def test_training_sample_damaged_in_a_worker_is_replaced_and_counted(stored, monkeypatch):
    data = module(stored(train=GOOD))
    loader = data.train_dataloader()
    rasterize = Preprocessing.rasterize

    def failing(self, ink, **options):
        if len(ink.strokes) == 5:  # the label x+x+y
            raise Im2TexError("damaged")
        return rasterize(self, ink, **options)

    monkeypatch.setattr(Preprocessing, "rasterize", failing)
    broken = {sample.key for sample in GOOD if len(sample.tokens) == 5}
    batches = list(loader)
    assert {key: why for b in batches for key, why in b.replaced.items()} == dict.fromkeys(
        broken, "damaged"
    )
    assert sum(len(batch.keys) for batch in batches) == len(GOOD)
    assert not broken & {key for b in batches if len(b.replaced) < len(b.keys) for key in b.keys}
    for batch in batches:
        assert not batch.failed
        if len(batch.replaced) == len(batch.keys):
            assert batch.tokens == [()] * len(batch.keys)


# ---------------------------------------------------------------- pictures


def test_failed_sample_is_dropped_in_training_and_blank_in_test(stored):
    undrawn = Sample("undrawn", "x", ("x",), extra={"failed": "TeX reports an error"})
    data = module(stored(train=[*GOOD, undrawn], test_2014=[PICTURE, undrawn]))
    assert "undrawn" not in keys(data.train_dataloader())
    assert data.statistics["train"].dropped == {"unreadable": 1}
    data.hparams["test_splits"] = "test_2014"
    batches = list(data.test_dataloader()[0])
    failed = {b.keys[row]: why for b in batches for row, why in b.failed.items()}
    assert sorted(key for b in batches for key in b.keys) == ["picture", "undrawn"]
    assert failed == {"undrawn": "TeX reports an error"}


def test_large_image_is_dropped_in_training_and_counted_in_evaluation(stored):
    pixels = np.full((40, 300), 255, dtype=np.uint8)
    pixels[5:-5, 5:-5] = 0
    wide = Sample("wide picture", "x", ("x",), image=png(pixels))
    rule = Preprocessing(symbol_size=0, max_height=64, max_width=128)
    data = module(stored(train=[wide, PICTURE], validation=[wide, PICTURE]), rule=rule)
    assert keys(data.train_dataloader()) == ["picture"]
    assert data.statistics["train"].dropped == {"larger than the image limits": 1}
    assert keys(data.val_dataloader()) == ["picture", "wide picture"]
    assert data.statistics["validation"].downscaled == 1


def test_buckets_keep_the_samples(stored):
    root = stored(train=GOOD, validation=GOOD)
    plain, bucketed = module(root), module(root, buckets=["64x32", "128x64"])
    for one, other in (
        (plain.train_dataloader(), bucketed.train_dataloader()),
        (plain.val_dataloader(), bucketed.val_dataloader()),
    ):
        assert keys(one) == keys(other)
        assert {batch.images.shape[2:] for batch in other} <= {(32, 64), (64, 128)}
    with pytest.raises(Im2TexError, match=r"data\.buckets"):
        module(root, buckets="small")
