"""A sheet of examples: input pictures with gold and predicted LaTeX, what differs marked.

Drawn with Pillow and the font it brings along, so that it looks alike on every machine.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import Levenshtein

# All in pixels.
_WIDTH = 1200
_PICTURE = (460, 160)  # the most a picture gets, width and height
_MARGIN = 14
_BAND = 8  # the coloured band left of an example
_LABEL = 58  # the column of "gold" and "read"
_LINE = 22
_FONT = 16
_SPACE = 6
_ENLARGE = 2.0  # small pictures grow by this at most

_BLACK, _GREY, _RULE = (20, 20, 20), (120, 120, 120), (225, 225, 225)
_RIGHT, _WRONG = (0, 114, 178), (213, 60, 0)  # told apart by colour-blind readers too

_Word = tuple[str, bool]  # a token, and whether it differs


class Example(Protocol):
    """What is shown of a sample.

    Attributes:
        image: the picture as the model sees it, uint8 (H, W), ink 255 on 0.
        gold: reference tokens.
        prediction: predicted tokens; None where there is none.
        score: log-probability of the prediction, nats; None where unknown.
    """

    @property
    def image(self) -> npt.NDArray[np.uint8]: ...  # noqa: D102
    @property
    def gold(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def prediction(self) -> Sequence[str] | None: ...  # noqa: D102
    @property
    def score(self) -> float | None: ...  # noqa: D102


def examples_sheet(examples: Iterable[Example], title: str = "") -> Image.Image:
    """One picture of all examples, below each other.

    A band on the left and a word say whether an example is right; tokens that differ (those of a
    least-edit alignment) are coloured and underlined. Long formulas wrap, large pictures are
    scaled down, small ones up.

    Args:
        examples: what to show, in this order.
        title: a line on top, after which the number of right ones is said.

    Returns:
        An RGB picture, 1200 pixels wide.

    Raises:
        ValueError: if an image is not uint8 (H, W).
    """
    shown = list(examples)
    cards = [_card(example) for example in shown]
    right = sum(_is_right(example) for example in shown)
    header = f"{right} of {len(shown)} right"
    header = f"{title}: {header}" if title else header
    top = _LINE + 2 * _MARGIN
    sheet = Image.new("RGB", (_WIDTH, top + sum(card.height for card in cards)), "white")
    ImageDraw.Draw(sheet).text((_MARGIN, _MARGIN), header, _BLACK, _font(_FONT + 4))
    for card in cards:
        sheet.paste(card, (0, top))
        top += card.height
    return sheet


def differences(
    prediction: Sequence[str], gold: Sequence[str]
) -> tuple[list[bool], list[bool], int]:
    """Which tokens differ, by a least-edit alignment.

    Returns:
        A flag for each predicted token, one for each gold token, and the number of token edits.
    """
    predicted_flags, gold_flags, edits = [False] * len(prediction), [False] * len(gold), 0
    for operation in Levenshtein.opcodes(prediction, gold):
        if operation.tag == "equal":
            continue
        predicted = range(operation.src_start, operation.src_end)
        reference = range(operation.dest_start, operation.dest_end)
        for i in predicted:
            predicted_flags[i] = True
        for i in reference:
            gold_flags[i] = True
        edits += max(len(predicted), len(reference))
    return predicted_flags, gold_flags, edits


def _is_right(example: Example) -> bool:
    return example.prediction is not None and list(example.prediction) == list(example.gold)


def _card(example: Example) -> Image.Image:
    picture = _picture(example.image)
    left = _BAND + _PICTURE[0] + 3 * _MARGIN
    room = _WIDTH - left - _LABEL - _MARGIN
    right = _is_right(example)
    prediction = list(example.prediction or ())
    predicted_flags, gold_flags, edits = differences(prediction, list(example.gold))
    gold = _wrap(list(zip(example.gold, gold_flags, strict=True)), room)
    read = _wrap(list(zip(prediction, predicted_flags, strict=True)), room)
    colour = _RIGHT if right else _WRONG

    texts = 1 + len(gold) + (0 if right else len(read))
    height = max(picture.height, texts * _LINE + _MARGIN) + 2 * _MARGIN
    card = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(card)
    draw.line((0, 0, _WIDTH, 0), _RULE)
    draw.rectangle((0, 1, _BAND - 1, height - 1), colour)
    card.paste(picture, (_BAND + _MARGIN, _MARGIN))

    y = _MARGIN
    draw.text((left, y), _verdict(example, edits), colour, _font(_FONT))
    y += _LINE + _MARGIN // 2
    y = _write_words(draw, (left, y), "gold", gold, colour)
    if not right:  # a right one reads the same
        _write_words(draw, (left, y), "read", read, colour)
    return card


def _verdict(example: Example, edits: int) -> str:
    if example.prediction is None:
        words = "WRONG, no prediction"
    elif _is_right(example):
        words = "right"
    else:
        words = f"WRONG by {edits} token{'s' * (edits != 1)}"
    return words if example.score is None else f"{words}    log p {example.score:.2f}"


def _write_words(
    draw: ImageDraw.ImageDraw,
    at: tuple[int, int],
    label: str,
    lines: Sequence[Sequence[_Word]],
    colour: tuple[int, int, int],
) -> int:
    """Writes wrapped tokens behind a label; gives the y below them."""
    font = _font(_FONT)
    left, y = at
    draw.text(at, label, _GREY, font)
    for line in lines:
        x = float(left + _LABEL)
        for word, differs in line:
            draw.text((x, y), word, colour if differs else _BLACK, font)
            width = font.getlength(word)
            if differs:
                draw.line((x, y + _LINE - 3, x + width, y + _LINE - 3), colour)
            x += width + _SPACE
        y += _LINE
    return y


def _wrap(words: Sequence[_Word], room: int) -> list[list[_Word]]:
    """Lines of words at most `room` pixels wide; at least one line, maybe empty."""
    font = _font(_FONT)
    lines: list[list[_Word]] = [[]]
    used = 0.0
    for word, differs in words:
        for piece in _pieces(word, room):
            width = font.getlength(piece) + _SPACE
            if lines[-1] and used + width > room:
                lines.append([])
                used = 0.0
            lines[-1].append((piece, differs))
            used += width
    return lines


def _pieces(word: str, room: int) -> Iterator[str]:
    """A word cut so that each piece fits on a line; only what the font can show stays as it is."""
    word = "".join(c if "!" <= c <= "~" else f"\\u{ord(c):04x}" for c in word)
    font = _font(_FONT)
    while len(word) > 1 and font.getlength(word) + _SPACE > room:
        cut = len(word)
        while cut > 1 and font.getlength(word[:cut]) + _SPACE > room:
            cut = max(1, cut * 3 // 4)
        yield word[:cut]
        word = word[cut:]
    yield word


def _picture(image: npt.NDArray[np.uint8]) -> Image.Image:
    """The picture in black on white, fitted into its box."""
    if image.ndim != 2 or image.dtype != np.uint8 or not image.size:
        raise ValueError(f"expected an image of uint8 (H, W), got {image.dtype} {image.shape}.")
    height, width = image.shape
    scale = min(_PICTURE[0] / width, _PICTURE[1] / height, _ENLARGE)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return Image.fromarray(255 - image).resize(size, Image.Resampling.LANCZOS)


@cache
def _font(size: int) -> Any:
    # Typed as Any: Pillow gives a bitmap font without getlength where it lacks FreeType, which its
    # wheels never do.
    return ImageFont.load_default(size=size)
