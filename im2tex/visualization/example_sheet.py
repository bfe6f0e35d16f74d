"""A sheet of examples: input images with gold and predicted LaTeX, differing tokens marked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol

from PIL import Image, ImageDraw
from rapidfuzz.distance import Levenshtein

from im2tex.render.rendering import GrayImage
from im2tex.utils.wording import counted
from im2tex.visualization import drawing

# All in pixels.
_WIDTH = 1200
_IMAGE = (460, 160)  # the box of an image, width and height
_MARGIN = 14
_BAND = 8  # the coloured band left of an example
_LABEL = 58  # the column of "gold" and "pred"
_LINE = 22
_FONT = 16
_SPACE = 6
_LEFT = _BAND + _IMAGE[0] + 3 * _MARGIN  # of the text
_TEXT = _WIDTH - _LEFT - _LABEL - _MARGIN  # its width
_MAX_SCALE = 2.0

_RIGHT, _WRONG = (0, 114, 178), (213, 60, 0)  # distinct for colour-blind readers, too

_Word = tuple[str, bool]  # a token, and whether it differs


class Example(Protocol):
    """A sample with its prediction.

    Attributes:
        image: the preprocessed image, uint8 (H, W), ink 255 on 0.
        gold: reference tokens.
        prediction: predicted tokens; None if there are none.
        score: log-probability of the prediction, nats; None if unknown.
    """

    @property
    def image(self) -> GrayImage: ...  # noqa: D102
    @property
    def gold(self) -> Sequence[str]: ...  # noqa: D102
    @property
    def prediction(self) -> Sequence[str] | None: ...  # noqa: D102
    @property
    def score(self) -> float | None: ...  # noqa: D102


def draw_examples(examples: Iterable[Example], title: str = "") -> Image.Image:
    """Draws all examples, one below the other.

    A coloured band and a word indicate whether an example is right; differing tokens (in a
    least-edit alignment) are coloured and underlined. Long formulas wrap.

    Args:
        examples: in the order of the sheet.
        title: a line on top, in front of the number of right examples.

    Returns:
        An RGB image, 1200 pixels wide.

    Raises:
        ValueError: if an image is not uint8 (H, W).
    """
    shown = list(examples)
    cards = [_draw_card(example) for example in shown]
    header = f"{sum(map(_is_right, shown))} of {len(shown)} right"
    header = f"{title}: {header}" if title else header
    top = Image.new("RGB", (_WIDTH, _LINE + 2 * _MARGIN), "white")
    ImageDraw.Draw(top).text((_MARGIN, _MARGIN), header, drawing.BLACK, drawing.font(_FONT + 4))
    return drawing.stack([top, *cards])


def differences(
    prediction: Sequence[str], gold: Sequence[str]
) -> tuple[list[bool], list[bool], int]:
    """Finds the tokens that differ in a least-edit alignment.

    Returns:
        A flag for each predicted token, one for each gold token, and the number of token edits.
    """
    predicted_flags, gold_flags, edits = [False] * len(prediction), [False] * len(gold), 0
    for change in Levenshtein.editops(prediction, gold):
        if change.tag != "insert":
            predicted_flags[change.src_pos] = True
        if change.tag != "delete":
            gold_flags[change.dest_pos] = True
        edits += 1
    return predicted_flags, gold_flags, edits


def _is_right(example: Example) -> bool:
    return example.prediction is not None and list(example.prediction) == list(example.gold)


def _draw_card(example: Example) -> Image.Image:
    image = drawing.fit_image(example.image, _IMAGE, _MAX_SCALE)
    right = _is_right(example)
    prediction, gold = list(example.prediction or ()), list(example.gold)
    predicted_flags, gold_flags, edits = differences(prediction, gold)
    texts = {"gold": _wrap(zip(gold, gold_flags, strict=True))}
    if not right:
        texts["pred"] = _wrap(zip(prediction, predicted_flags, strict=True))
    color = _RIGHT if right else _WRONG

    lines = 1 + sum(map(len, texts.values()))
    height = max(image.height, lines * _LINE + _MARGIN) + 2 * _MARGIN
    card = Image.new("RGB", (_WIDTH, height), "white")
    draw = ImageDraw.Draw(card)
    draw.line((0, 0, _WIDTH, 0), drawing.LIGHT_GRAY)
    draw.rectangle((0, 1, _BAND - 1, height - 1), color)
    card.paste(image, (_BAND + _MARGIN, _MARGIN))

    draw.text((_LEFT, _MARGIN), _result_text(example, edits), color, drawing.font(_FONT))
    y = _MARGIN + _LINE + _MARGIN // 2
    for label, words in texts.items():
        draw.text((_LEFT, y), label, drawing.GRAY, drawing.font(_FONT))
        for line in words:
            _write_line(draw, y, line, color)
            y += _LINE
    return card


def _result_text(example: Example, edits: int) -> str:
    if example.prediction is None:
        words = "WRONG, no prediction"
    elif _is_right(example):
        words = "right"
    else:
        words = f"WRONG by {counted(edits, 'token')}"
    return words if example.score is None else f"{words}    log p {example.score:.2f}"


def _write_line(
    draw: ImageDraw.ImageDraw, y: int, line: Sequence[_Word], color: drawing.Color
) -> None:
    x = float(_LEFT + _LABEL)
    for word, differs in line:
        draw.text((x, y), word, color if differs else drawing.BLACK, drawing.font(_FONT))
        width = drawing.font(_FONT).getlength(word)
        if differs:
            draw.line((x, y + _LINE - 3, x + width, y + _LINE - 3), color)
        x += width + _SPACE


def _wrap(words: Iterable[_Word]) -> list[list[_Word]]:
    """Breaks words into lines of the text's width; returns at least one line, maybe empty."""
    lines: list[list[_Word]] = [[]]
    used = 0.0
    for word, differs in words:
        shown = drawing.shorten(drawing.printable(word), _TEXT - _SPACE, _FONT)
        width = drawing.font(_FONT).getlength(shown) + _SPACE
        if lines[-1] and used + width > _TEXT:
            lines.append([])
            used = 0.0
        lines[-1].append((shown, differs))
        used += width
    return lines
