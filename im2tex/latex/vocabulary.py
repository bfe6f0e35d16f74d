"""`Vocabulary`: tokens and their indices."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")


class Vocabulary:
    """A fixed list of tokens; the four special tokens come first.

    >>> vocabulary = Vocabulary(["x", "+"])
    >>> vocabulary.encode(["x", "+", "y"]), vocabulary.decode([4, 5, 2])
    ([4, 5, 3], ['x', '+'])

    Args:
        tokens: the ordinary tokens, distinct, in the order of their indices.

    Raises:
        ValueError: if a token occurs twice or is a special token.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = (*SPECIALS, *tokens)
        self._indices = {token: index for index, token in enumerate(self.tokens)}
        if len(self._indices) != len(self.tokens):
            twice = [token for token, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(
                f"tokens of a vocabulary must be distinct, got twice: {' '.join(twice)}"
            )

    @classmethod
    def count(cls, labels: Iterable[Sequence[str]], min_count: int = 1) -> Vocabulary:
        """The vocabulary of some labels.

        Args:
            labels: token lists.
            min_count: least number of occurrences of a token; rarer tokens become `<unk>`.

        Returns:
            The tokens by falling frequency, ties in code-point order.
        """
        return cls.of_counts(Counter(token for label in labels for token in label), min_count)

    @classmethod
    def of_counts(cls, counts: Mapping[str, int], min_count: int = 1) -> Vocabulary:
        """The vocabulary of tokens with their numbers of occurrences; as `count`."""
        kept = [(-n, token) for token, n in counts.items() if n >= min_count]
        return cls([token for _, token in sorted(kept) if token not in SPECIALS])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._indices

    @property
    def ordinary(self) -> tuple[str, ...]:
        """The tokens without the special ones, as the constructor takes them."""
        return self.tokens[len(SPECIALS) :]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """The indices of tokens, without `EOS`; `UNK` for tokens that are not in the vocabulary.

        The text of a special token in a label is not that special token.
        """
        indices = (self._indices.get(token, UNK) for token in tokens)
        return [index if index >= len(SPECIALS) else UNK for index in indices]

    def decode(self, indices: Iterable[int]) -> list[str]:
        """The tokens of indices, up to the first `EOS` and without `PAD` and `BOS`."""
        tokens = takewhile(lambda index: index != EOS, indices)
        return [self.tokens[index] for index in tokens if index not in (PAD, BOS)]
