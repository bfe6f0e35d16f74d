"""Kneser-Ney smoothing: by hand, against the formulas written out, and where counts are few."""

import math
from collections import Counter, defaultdict

import numpy as np
import pytest

from im2tex.errors import Im2TexError
from im2tex.language import KneserNey
from im2tex.language.ngram import FALLBACK


def random_labels(count=60, letters="abcd", seed=0):
    """Labels of a Markov chain, so that longer n-grams tell something."""
    rng = np.random.default_rng(seed)
    follow = rng.dirichlet(np.full(len(letters), 0.4), len(letters))
    labels = []
    for _ in range(count):
        label, at = [], rng.integers(len(letters))
        for _ in range(rng.integers(0, 12)):
            label.append(letters[at])
            at = rng.choice(len(letters), p=follow[at])
        labels.append(label)
    return labels


def next_tokens(model, prefix):
    """p of every token after a label's beginning, and of its end."""
    words = [*model.vocabulary.ordinary, "<unk>"]
    labels = [[*prefix, word] for word in words] + [list(prefix)]
    found, at = {}, 0
    log_p = model.log_p(labels)
    for word, label in zip([*words, "."], labels, strict=True):
        found[word] = math.exp(log_p[at + len(prefix)])
        at += len(label) + 1
    assert at == len(log_p)
    return found


class WrittenOut:
    """Chen and Goodman's equations with dictionaries, one probability at a time."""

    def __init__(self, labels, order):
        self.order = order
        self.words = {word for label in labels for word in label} | {"<unk>", "."}
        grams = Counter()
        for label in labels:
            line = ("<", *label, ".")
            for n in range(1, order + 1):
                grams.update(line[i : i + n] for i in range(len(line) - n + 1))
        del grams["<",]
        before = defaultdict(set)
        for gram in grams:
            before[gram[1:]].add(gram[0])
        self.counts = {
            gram: count if len(gram) == order or gram[0] == "<" else len(before[gram])
            for gram, count in grams.items()
        }
        self.discounts = {}
        for n in range(1, order + 1):
            of = Counter(count for gram, count in self.counts.items() if len(gram) == n)
            y = of[1] / (of[1] + 2 * of[2]) if of[1] else 0
            usable = of[1] and of[2] and of[3]
            d = usable and [i - (i + 1) * y * of[i + 1] / of[i] for i in (1, 2, 3)]
            good = usable and all(0 < x <= i for i, x in enumerate(d, 1))
            self.discounts[n] = tuple(d) if good else FALLBACK

    def p(self, word, history):
        history = history[-(self.order - 1) :] if self.order > 1 else ()
        return self._p(word, tuple(history))

    def _p(self, word, history):
        n = len(history) + 1
        lower = self._p(word, history[1:]) if history else 1 / len(self.words)
        follow = {g: c for g, c in self.counts.items() if g[:-1] == history and len(g) == n}
        total = sum(follow.values())
        if not total:
            return lower
        d = self.discounts[n]
        taken = {gram: d[min(count, 3) - 1] for gram, count in follow.items()}
        own = follow.get((*history, word), 0) - taken.get((*history, word), 0)
        return own / total + sum(taken.values()) / total * lower


@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_log_p_equals_the_written_out_equations(order):
    labels = random_labels()
    model, reference = KneserNey(labels, order), WrittenOut(labels, order)
    assert [one.values for one in model.discounts] == [
        pytest.approx(reference.discounts[n]) for n in range(1, order + 1)
    ]
    unseen = [list("adbcadbc"), list("dd?ac"), []]
    for label in labels[:8] + unseen:
        line = ["<", *(w if w in reference.words else "<unk>" for w in label), "."]
        expected = [reference.p(line[i], line[:i]) for i in range(1, len(line))]
        np.testing.assert_allclose(np.exp(model.log_p([label])), expected, rtol=1e-12)


def test_bigrams_derived_by_hand():
    model = KneserNey([["a", "b"], ["a", "b"], ["a"]], order=2)
    singles, pairs = model.discounts
    # Numbers of different tokens before a: 1, b: 1, the end: 2. None has 3.
    assert (singles.values, singles.estimated) == (FALLBACK, False)
    # The 2 of 4 that are taken go to a, b, the end and <unk>, 1/8 each.
    single = {"a": 0.5 / 4 + 1 / 8, "b": 0.5 / 4 + 1 / 8, ".": 1 / 4 + 1 / 8, "<unk>": 1 / 8}
    assert sum(single.values()) == 1
    # Pairs: the start and a 3; a and b 2, b and the end 2; a and the end 1. Y = 1 / (1 + 2 * 2).
    assert pairs.estimated
    assert pairs.values == pytest.approx((1 - 2 / 5 * 2 / 1, 2 - 3 / 5 * 1 / 2, 3 - 4 / 5 * 0 / 1))
    # After a, 3 in all: b twice, the end once, of which 1.7 and 0.2 are taken.
    after = {word: 1.9 / 3 * p for word, p in single.items()}
    after["b"] += (2 - 1.7) / 3
    after["."] += (1 - 0.2) / 3
    assert next_tokens(model, ["a"]) == pytest.approx(after)
    # After the start all 3 are taken; after b the 2 of the end, but for 0.3.
    assert next_tokens(model, []) == pytest.approx(single)
    last = {word: 1.7 / 2 * p + 0.3 / 2 * (word == ".") for word, p in single.items()}
    assert next_tokens(model, ["a", "b"]) == pytest.approx(last)
    nll = -math.log(single["a"]) - math.log(after["."])
    assert model.perplexity([["a"]]) == pytest.approx(math.exp(nll / 2))  # the end is a token


@pytest.mark.parametrize("order", [1, 2, 4, 9])
def test_probabilities_sum_to_one_in_every_context(order):
    labels = random_labels(40)
    model = KneserNey(labels, order)
    contexts = [label[:k] for label in labels[:6] for k in range(len(label) + 1)]
    contexts += [list("cdcdcdcd"), ["unheard"], ["unheard", "a"], list("a?")]
    for context in contexts:
        assert sum(next_tokens(model, context).values()) == pytest.approx(1, abs=1e-12)


def test_unseen_context_equals_the_shorter_one():
    labels = random_labels()
    model = KneserNey(labels, 3)
    assert any("a" in label for label in labels)
    # No label has the unknown token: after it there is no context, and after it and an a, only a.
    shorter = KneserNey(labels, 2)
    alone = next_tokens(model, ["?"])
    assert next_tokens(model, ["?", "?"]) == pytest.approx(alone)
    assert next_tokens(model, ["a", "?"]) == pytest.approx(alone)
    assert alone != pytest.approx(next_tokens(model, ["?", "a"]))
    assert next_tokens(shorter, ["?", "?"]) == pytest.approx(next_tokens(shorter, ["a", "?"]))


def test_rare_tokens_are_unknown():
    labels = [["a", "b"], ["a", "c"], ["a", "b"]]
    model = KneserNey(labels, 2, min_count=2)
    assert set(model.vocabulary.ordinary) == {"a", "b"}
    same = KneserNey([["a", "b"], ["a", "d"], ["a", "b"]], 2, min_count=2)
    assert model.log_p([["a", "c"]]) == pytest.approx(same.log_p([["a", "zebra"]]))
    assert next_tokens(model, ["a"])["<unk>"] > next_tokens(KneserNey(labels, 2), ["a"])["<unk>"]


def test_discounts_are_estimated_from_counts_of_counts():
    # Of single tokens, 4 occur once, 3 twice, 2 three times and 1 four times.
    often = {**dict.fromkeys("abcd", 1), **dict.fromkeys("efg", 2), "h": 3, "i": 3, "j": 4}
    labels = [[word] for word, count in often.items() for _ in range(count)]
    (found,) = KneserNey(labels, 1).discounts
    y = 4 / (4 + 2 * 3)
    assert found.estimated
    assert found.values == pytest.approx((1 - 2 * y * 3 / 4, 2 - 3 * y * 2 / 3, 3 - 4 * y * 1 / 2))


@pytest.mark.parametrize(
    "labels",
    [[[]], [["a"]], [[], [], []], [["a"] * 30], [list("abc")] * 5, [[c] for c in "abcdefgh"]],
    ids=str,
)
def test_small_corpus_uses_the_fallback_discounts(labels):
    model = KneserNey(labels, 5)
    assert math.isfinite(model.perplexity(labels))
    assert model.perplexity(labels) >= 1
    for context in ([], ["a"], ["z", "a", "b", "b", "a", "z"]):
        assert sum(next_tokens(model, context).values()) == pytest.approx(1)


def test_bigrams_have_lower_perplexity_than_unigrams():
    labels = random_labels(400, "abcdef")
    train, held = labels[:300], labels[300:]
    one, two = (KneserNey(train, order).perplexity(held) for order in (1, 2))
    assert two < 0.9 * one


def test_invalid_arguments_and_empty_labels():
    with pytest.raises(Im2TexError, match="at least 1; got 0 and 1"):
        KneserNey([["a"]], 0)
    with pytest.raises(Im2TexError, match="got 5 and 0"):
        KneserNey([["a"]], 5, min_count=0)
    with pytest.raises(Im2TexError, match="there are none"):
        KneserNey([])
    assert math.isnan(KneserNey([["a"]]).perplexity([]))
    assert KneserNey([["a"]]).log_p([]).shape == (0,)
