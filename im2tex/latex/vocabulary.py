"""`Vocabulary`: tokens and their numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

PAD, BOS, EOS, UNK = 0, 1, 2, 3
SPECIALS = ("<pad>", "<bos>", "<eos>", "<unk>")


class Vocabulary:
    """A fixed list of tokens; the four special ones come first.

    Args:
        tokens: the ordinary tokens, distinct, in the order of their numbers.

    Raises:
        ValueError: if a token occurs twice or is one of the special ones.
    """

    def __init__(self, tokens: Sequence[str]) -> None:
        self.tokens = (*SPECIALS, *tokens)
        self._numbers = {token: number for number, token in enumerate(self.tokens)}
        if len(self._numbers) != len(self.tokens):
            twice = [token for token, n in Counter(self.tokens).items() if n > 1]
            raise ValueError(f"tokens occur twice in a vocabulary: {' '.join(twice)}")

    @classmethod
    def count(cls, labels: Iterable[Sequence[str]], min_count: int = 1) -> Vocabulary:
        """The vocabulary of some labels.

        Args:
            labels: token lists.
            min_count: how often a token has to be seen; the rest become `<unk>`.

        Returns:
            The tokens by falling frequency, ties in code-point order.
        """
        counts = Counter(token for label in labels for token in label)
        kept = [(-n, token) for token, n in counts.items() if n >= min_count]
        return cls([token for _, token in sorted(kept) if token not in SPECIALS])

    def __len__(self) -> int:
        return len(self.tokens)

    def __contains__(self, token: str) -> bool:
        return token in self._numbers

    @property
    def ordinary(self) -> tuple[str, ...]:
        """The tokens without the special ones: what the constructor takes."""
        return self.tokens[len(SPECIALS) :]

    def encode(self, tokens: Iterable[str]) -> list[int]:
        """Numbers of tokens, `UNK` for those not in the vocabulary; no end is added.

        A label that happens to hold the text of a special token does not mean it.
        """
        numbers = (self._numbers.get(token, UNK) for token in tokens)
        return [number if number >= len(SPECIALS) else UNK for number in numbers]

    def decode(self, numbers: Iterable[int]) -> list[str]:
        """Tokens of numbers, up to the first end and without padding and start."""
        tokens = []
        for number in numbers:
            if number == EOS:
                break
            if number not in (PAD, BOS):
                tokens.append(self.tokens[number])
        return tokens
