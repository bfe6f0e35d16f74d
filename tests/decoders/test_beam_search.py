"""The beam search: against brute force, against a search written plainly, and by hand."""

import math

import pytest
import torch
from toy_decoder import Scripted, Toy

from im2tex.decoders.beam_search import Hypothesis, SearchOptions, beam_search
from im2tex.errors import Im2TexError
from im2tex.latex.vocabulary import BOS, EOS, PAD, UNK

CPU = torch.device("cpu")
PENALTIES = [0.0, 0.6, 1.0, 1.7]


def search(toy, *, images=None, **options):
    images = toy.images if images is None else images
    return beam_search(toy, toy.start(), images, SearchOptions(**options), CPU)


def close(found: list[Hypothesis], expected: list[Hypothesis]):
    assert [one.tokens for one in found] == [one.tokens for one in expected]
    assert [one.finished for one in found] == [one.finished for one in expected]
    for one, other in zip(found, expected, strict=True):
        assert one.log_probability == pytest.approx(other.log_probability, abs=1e-9)
        assert one.score == pytest.approx(other.score, abs=1e-9)


def hypothesis(tokens, log_p, finished, penalty):
    length = len(tokens) + finished
    return Hypothesis(tokens, log_p, log_p / length**penalty, finished)


def continuations(toy, token, state):
    """The next tokens a reading may have, with log p, and the state behind them."""
    log_p, state = toy.step(torch.tensor([[token]]), state)
    allowed = [v for v in range(toy.vocabulary) if v not in (PAD, BOS, UNK)]
    return [(v, log_p[0, 0, v].item()) for v in allowed], state


def enumerate_all(toy, max_length, penalty):
    """Every reading of the one image, the best first."""
    found = []

    def extend(prefix, log_p, state):
        following, state = continuations(toy, prefix[-1] if prefix else BOS, state)
        for token, more in following:
            if token == EOS:
                found.append(hypothesis(prefix, log_p + more, True, penalty))
            elif len(prefix) + 1 == max_length:
                found.append(hypothesis([*prefix, token], log_p + more, False, penalty))
            else:
                extend([*prefix, token], log_p + more, state)

    extend([], 0.0, toy.start())
    return sorted(found, key=lambda one: -one.score)


def plain_search(toy, beam, max_length, penalty):
    """One image, lists, no cache between hypotheses and no early exit."""
    beams = [([], 0.0, False, toy.start())]
    for _ in range(max_length):
        candidates = []
        for tokens, log_p, finished, state in beams:
            if finished:
                candidates.append((tokens, log_p, True, state))
                continue
            following, after = continuations(toy, tokens[-1] if tokens else BOS, state)
            for token, more in following:
                ended = token == EOS
                longer = tokens if ended else [*tokens, token]
                candidates.append((longer, log_p + more, ended, after))
        candidates.sort(key=lambda one: -one[1] / (len(one[0]) + one[2]) ** penalty)
        beams = candidates[:beam]
    return [hypothesis(tokens, log_p, finished, penalty) for tokens, log_p, finished, _ in beams]


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize("ordinary", [1, 2, 3])
def test_beam_search_with_full_beam_equals_brute_force(ordinary, penalty):
    length = 4
    # Readings that ended with 0 to 3 tokens, and those cut off at 4.
    readings = sum(ordinary**k for k in range(length + 1))
    toy = Toy(images=3, ordinary=ordinary, seed=ordinary)
    found = search(
        toy, beam_size=readings, n_best=readings, max_length=length, length_penalty=penalty
    )
    for image in range(3):
        expected = enumerate_all(toy.only(image), length, penalty)
        assert len(expected) == readings
        close(found[image], expected)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("beam", "n_best"), [(1, 1), (2, 1), (2, 2), (3, 2), (5, 1), (5, 5)])
def test_beam_search_with_narrow_beam_equals_plain_search(beam, n_best, penalty):
    for seed in range(6):
        toy = Toy(images=4, ordinary=3, seed=seed, end=1.0)
        found = search(toy, beam_size=beam, n_best=n_best, max_length=9, length_penalty=penalty)
        for image in range(4):
            expected = plain_search(toy.only(image), beam, 9, penalty)
            close(found[image], expected[:n_best])


def test_greedy_search_is_beam_1_is_taking_the_best_token_each_time():
    toy = Toy(images=5, ordinary=4, seed=1, end=-1.0)
    found = search(toy, beam_size=1, max_length=12)
    for image in range(5):
        alone, token, tokens, log_p = toy.only(image), BOS, [], 0.0
        state = alone.start()
        while len(tokens) < 12:
            following, state = continuations(alone, token, state)
            token, more = max(following, key=lambda one: one[1])
            log_p += more
            if token == EOS:
                break
            tokens.append(token)
        close(found[image], [hypothesis(tokens, log_p, token == EOS, 0.0)])
    assert {one[0].finished for one in found} == {True, False}  # the toy shows both


@pytest.mark.parametrize("penalty", PENALTIES)
def test_leaving_the_batch_early_changes_nothing(penalty):
    toy = Toy(images=8, ordinary=3, seed=5, end=1.0)
    options = {"beam_size": 3, "n_best": 2, "max_length": 30, "length_penalty": penalty}
    together = search(toy, **options)
    assert toy.rows[0] == 8
    assert toy.rows[-1] < 8  # some did leave
    assert toy.rows == sorted(toy.rows, reverse=True)
    for image in range(8):
        close(together[image], search(toy.only(image), **options)[0])


def test_beam_search_with_two_beams_beats_greedy_search():
    toy = Scripted({"": {"a": 0.6, "b": 0.4}, "a": {".": 0.5, "c": 0.5}, "b": {".": 1.0}})
    a, b = 4, 5
    (greedy,) = search(toy, images=1, beam_size=1)[0]
    assert greedy.tokens[0] == a
    (best,) = search(toy, images=1, beam_size=2)[0]
    assert best.tokens == [b]
    assert best.log_probability == pytest.approx(math.log(0.4))
    assert best.finished


def test_beam_search_finished_hypothesis_keeps_its_score():
    table = {
        "": {".": 0.4, "a": 0.6},
        "a": {"a": 0.9, ".": 0.1},
        "aa": {"a": 0.9, ".": 0.1},
        "aaa": {".": 1.0},
    }
    # Ended at once: 0.4. Three a: 0.6 x 0.9 x 0.9 = 0.486.
    first, second = search(Scripted(table), images=1, beam_size=2, n_best=2)[0]
    assert (first.tokens, second.tokens) == ([4, 4, 4], [])
    assert first.log_probability == pytest.approx(math.log(0.486))
    assert second.log_probability == pytest.approx(math.log(0.4))
    assert second.score == second.log_probability


def test_beam_search_length_penalty_favours_longer_hypotheses():
    table = {"": {".": 0.5, "a": 0.5}, "a": {"a": 0.8, ".": 0.2}, "aa": {".": 1.0}}
    # log 0.5 = -0.69 over 1 token; log (0.5 x 0.8) = -0.92 over 3 tokens, the end included.
    (plain,) = search(Scripted(table), images=1, beam_size=3)[0]
    assert plain.tokens == []
    (longer,) = search(Scripted(table), images=1, beam_size=3, length_penalty=1.0)[0]
    assert longer.tokens == [4, 4]
    assert longer.score == pytest.approx(math.log(0.4) / 3)
    assert longer.log_probability == pytest.approx(math.log(0.4))


@pytest.mark.parametrize("penalty", [0.0, 1.0])
def test_beam_search_stops_when_no_live_hypothesis_can_win(penalty):
    table = {"": {".": 0.999, "a": 0.001}} | {"a" * n: {"a": 0.5, "b": 0.5} for n in range(1, 200)}
    # After the first step `a` has log p -6.9. Without a penalty it can only fall. Divided by the
    # longest length, 100, it could reach -0.069 at best; the finished one has -0.001.
    toy = Scripted(table)
    (best,) = search(toy, images=1, beam_size=3, max_length=100, length_penalty=penalty)[0]
    assert best.tokens == []
    assert toy.calls == 1


def test_beam_search_with_length_penalty_continues_while_one_can_win():
    table = {"": {".": 0.6, "a": 0.4}} | {"a" * n: {"a": 1.0} for n in range(1, 9)}
    # Eight sure `a` and a sure end: log 0.4 / 9 = -0.10 beats log 0.6 = -0.51.
    table["a" * 8] = {".": 1.0}
    (best,) = search(Scripted(table), images=1, beam_size=2, length_penalty=1.0)[0]
    assert best.tokens == [4] * 8
    assert best.score == pytest.approx(math.log(0.4) / 9)


def test_beam_search_length_limit_counts_the_end():
    table = {"": {"a": 1.0}, "a": {"b": 1.0}, "ab": {".": 1.0}}
    for limit, tokens, finished in [(3, [4, 5], True), (2, [4, 5], False), (1, [4], False)]:
        (best,) = search(Scripted(table), images=1, beam_size=2, max_length=limit)[0]
        assert (best.tokens, best.finished) == (tokens, finished)


def test_padding_start_and_unknown_are_never_produced():
    class Tempting(Toy):
        def step(self, tokens, state):
            log_p, state = super().step(tokens, state)
            log_p = log_p - 5
            log_p[:, :, [PAD, BOS, UNK]] = -0.01
            return log_p, state

    for beam in (1, 4, 40):
        found = search(
            Tempting(images=3, ordinary=2), beam_size=beam, n_best=min(4, beam), max_length=6
        )
        written = {token for image in found for one in image for token in one.tokens}
        assert written <= {4, 5}
        assert all(one.log_probability > float("-inf") for image in found for one in image)


def test_beam_search_beam_larger_than_the_vocabulary_fills_up():
    toy = Toy(images=2, ordinary=1, seed=1)
    # With one token there are three readings of up to two tokens: none, one, two cut off.
    found = search(toy, beam_size=50, n_best=50, max_length=2)
    assert [sorted(one.tokens for one in image) for image in found] == [[[], [4], [4, 4]]] * 2


def test_beam_search_of_an_empty_vocabulary_ends_at_once():
    toy = Toy(images=2, ordinary=0)
    found = search(toy, beam_size=3, n_best=3, max_length=50)
    assert [[one.tokens for one in image] for image in found] == [[[]], [[]]]
    assert toy.rows == [2]


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_log_p_is_summed_in_at_least_float32(dtype):
    toy = Toy(images=1, ordinary=2, end=-9.0, dtype=dtype)
    (best,) = search(toy, beam_size=1, max_length=40)[0]
    alone, token, total = toy.only(0), BOS, 0.0
    state = alone.start()
    for following in best.tokens:
        log_p, state = alone.step(torch.tensor([[token]]), state)
        total += log_p[0, 0, following].item()
        token = following
    assert len(best.tokens) == 40
    assert best.log_probability == pytest.approx(total, rel=1e-5)


def test_beam_search_does_not_change_the_log_p_of_the_decoder():
    toy = Toy(images=1, ordinary=2)
    given = []

    class Watched(Toy):
        def step(self, tokens, state):
            log_p, state = Toy.step(toy, tokens, state)
            given.append((log_p, log_p.clone()))
            return log_p, state

    search(Watched(images=1), beam_size=2, max_length=4)
    assert all(torch.equal(after, before) for after, before in given)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"beam_size": 0}, "beam_size must be >= 1, got 0"),
        ({"max_length": 0}, "max_length must be >= 1, got 0"),
        ({"n_best": 6}, r"n_best must be between 1 and beam_size \(5\), got 6"),
        ({"n_best": 0}, "got 0"),
        ({"length_penalty": -0.5}, r"length_penalty must be >= 0, got -0\.5"),
        ({"length_penalty": math.nan}, "got nan"),
    ],
)
def test_search_options_out_of_range_raise(options, message):
    with pytest.raises(Im2TexError, match=message):
        SearchOptions(**options)
