"""Look-ups of a reading: counted along its own steps, whatever else was in the beam."""

import pytest
import torch
from toy_decoder import Scripted, Toy

from im2tex.decoders import SearchOptions
from im2tex.decoders.beam_search import beam_search
from im2tex.decoders.lstm import LSTMDecoder
from im2tex.grid import Grid, size_mask

CPU = torch.device("cpu")


def by_prefix(state):
    """A prefix of n letters cost n coarse look-ups in its last step, and 10 fine ones each a."""
    coarse = torch.tensor([[float(len(prefix)) for prefix in row] for row in state])
    fine = torch.tensor([[10.0 * prefix.count("a") for prefix in row] for row in state])
    return coarse, fine


def test_look_ups_are_summed_along_the_reading_and_stop_with_it():
    # The step that reads "a" ends the reading "a"; "b" goes on for two more.
    toy = Scripted({"": {"a": 0.6, "b": 0.4}, "a": {".": 1.0}, "b": {"a": 1.0}, "ba": {"c": 1.0}})
    options = SearchOptions(beam_size=2, n_best=2)
    short, long = beam_search(toy, toy.start(), 1, options, CPU, by_prefix)[0]
    a, b, c = 4, 5, 6
    assert (short.tokens, short.steps) == ([a], 2)
    assert short.lookups == (0 + 1, 0 + 10)
    assert (long.tokens, long.steps) == ([b, a, c], 4)
    # Steps from "", "b", "ba" and "bac".
    assert long.lookups == (0 + 1 + 2 + 3, 0 + 0 + 10 + 10)


def test_lookups_of_a_decoder_without_them_are_none():
    toy = Toy()
    assert beam_search(toy, toy.start(), 1, SearchOptions(), CPU)[0][0].lookups is None


@pytest.mark.parametrize("beam", [1, 3])
def test_standard_attention_looks_at_every_fine_cell_of_the_image_at_every_step(beam):
    torch.manual_seed(0)
    decoder = LSTMDecoder(9, "standard", {}, 6, hidden_size=5, embedding_dim=4).eval()
    mask = size_mask(torch.tensor([[2, 3], [1, 2]]), 2, 3)
    grid = Grid(torch.randn(2, 2, 3, 6) * mask.unsqueeze(3), mask, (8, 8))
    found = decoder.search(grid, SearchOptions(beam_size=beam, max_length=7))
    for (best, *_), cells in zip(found, (6, 2), strict=True):
        assert best.lookups == (0, cells * best.steps)
