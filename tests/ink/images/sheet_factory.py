"""Images of one formula on paper, and their similarity to the clean formula."""

import io

import numpy as np
from PIL import Image
from scipy import ndimage

from im2tex.ink.builtin_font.typeset import typeset
from im2tex.ink.images.ink_image import load_ink_image
from im2tex.ink.rasterize import draw

FORMULA = typeset(tuple("2x+3=y"))
HEIGHT, WIDTH = 200, 560


def coverage():
    """(HEIGHT, WIDTH), 0 for paper to 1 for ink."""
    left, top, right, bottom = FORMULA.bounds
    lines = draw(FORMULA, min(440 / (right - left), 110 / (bottom - top)), 5, 0) / 255.0
    found = np.zeros((HEIGHT, WIDTH))
    found[45 : 45 + lines.shape[0], 50 : 50 + lines.shape[1]] = lines
    return found


INK = coverage()


def sheet(paper=255, ink=0):
    """The formula in levels or colours of paper and ink, uint8."""
    paper, ink = np.asarray(paper, float), np.asarray(ink, float)
    weight = INK[..., None] if paper.ndim else INK
    return (paper + (ink - paper) * weight).round().astype(np.uint8)


def encoded(picture, kind="PNG", **options):
    stream = io.BytesIO()
    picture.save(stream, kind, **options)
    return stream.getvalue()


def jpeg(levels, quality=75):
    return encoded(Image.fromarray(levels).convert("RGB"), "JPEG", quality=quality)


def similarity(source):
    """The smaller of recall and precision of the formula's ink."""
    plain, found = load_ink_image(sheet()) > 127, load_ink_image(source) > 127
    if max(np.abs(np.subtract(plain.shape, found.shape))) > 8:
        return 0.0
    height, width = np.minimum(plain.shape, found.shape)
    plain, found = plain[:height, :width], found[:height, :width]
    near = [ndimage.binary_dilation(one, iterations=3) for one in (plain, found)]
    return float(min((plain & near[1]).sum() / plain.sum(), (found & near[0]).sum() / found.sum()))
