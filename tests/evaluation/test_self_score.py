"""A set against itself: 100 % in every score that a formula has."""

import math

import pytest

from im2tex.commands.formula_files import read_formulas
from im2tex.commands.pairing import pair_predictions
from im2tex.evaluation.rendered_pairs import Engine, choose_engine
from im2tex.evaluation.scoring import score_samples

_ASCII = r"""
\text{if $x_1$ then } y
\mbox{where $\alpha>0$}
\text{for } i
\text{under $H_0$}
\text{a \$ sign} + 1
x = 1 \quad \text{if $a$ and $b$}
$x$ \text{ if } $y$
x_{\text{max}}
x_{\mathrm{max}} + \mathrm{ab}
\text{  two  spaces  }
\begin{alignedat}{2} a&=b \\ c&=d \end{alignedat}
\begin{alignedat}[t]{2} a&=b \end{alignedat}
\begin{aligned} a &= b \\[2pt] c &= d \end{aligned}
\begin{array}{c|c} a & b \\ \hline c & d \end{array}
\begin{pmatrix} a & b \\ c & d \end{pmatrix}
\begin{cases} x & \text{if $x > 0$} \\ -x & \text{otherwise} \end{cases}
\sum_{\substack{i<j \\ k<l}} x
\(x\)
\[x\]
$x$
$$x$$
\begin{equation} E=mc^2 \end{equation}
\begin{align*} a &= b \\ c &= d \end{align*}
\begin{gather} a \\ b \end{gather}
\begin{multline*} a \\ b \end{multline*}
\begin{eqnarray} a &=& b \end{eqnarray}
a \lt b \gt c
\genfrac{}{}{0pt}{}{a}{b}
x \tag{1}
E=mc^2 \label{eq:e}
\operatorname*{argmax}_x f
1+{n \choose k}+2
a\hspace{1cm}b
{\color{red}x}+y
\boxed{x=1}+2
f^{''}
\foo{x}
{ x
x
\pi
""".strip().splitlines()
FORMULAS = [
    *_ASCII,
    "x\u00b2+y\u2081",
    "\u03b1+\u03b2=\u03b3",
    "x\u2212y \u2264 3",
    "\\text{\u4e2d\u6587}+1",
]


def itself(folder, formulas):
    path = folder / "same.txt"
    path.write_text("\n".join(formulas), "utf-8")
    gold, guesses = read_formulas(path, "references"), read_formulas(path, "predictions")
    return pair_predictions(gold, guesses).samples


def wrong(metrics, image):
    """Names of the scores that are no yes, of images or of all else."""
    return {
        name
        for name, score in metrics.items()
        if score is False and name.startswith("image") == image and not name.endswith("_has_graph")
    }


def test_score_every_formula_against_itself_is_right_without_images(tmp_path):
    scored = score_samples(itself(tmp_path, FORMULAS), Engine("none"))
    assert {sample.key: wrong(sample.metrics, False) for sample in scored.samples} == {
        str(number): set() for number in range(1, len(FORMULAS) + 1)
    }
    assert {sample.metrics["token_edits"] for sample in scored.samples} == {0}
    assert all(sample.metrics.get("expression_errors", 0) == 0 for sample in scored.samples)
    metrics = dict(scored.metrics)
    assert metrics.pop("token_error_rate") == 0
    for name in ("bleu", "bleu_norm", "bleu_tok"):
        assert metrics.pop(name) == pytest.approx(100)
    assert set(metrics.values()) == {1.0}


@pytest.mark.parametrize("formula", FORMULAS)
def test_score_one_formula_against_itself_has_no_bleu_or_all_of_it(tmp_path, formula):
    (sample,) = itself(tmp_path, [formula])
    metrics = score_samples([sample], Engine("none")).metrics
    for name in ("bleu", "bleu_norm", "bleu_tok"):
        assert math.isnan(metrics[name]) or metrics[name] == pytest.approx(100)


def test_score_rendered_formula_matches_itself(tmp_path):
    engine = choose_engine()
    if engine.name == "none":
        pytest.skip(engine.why)
    scored = score_samples(itself(tmp_path, FORMULAS), engine)
    drawn = [sample for sample in scored.samples if sample.failed_at != "render"]
    assert len(drawn) > len(FORMULAS) // 2
    assert {one.key: wrong(one.metrics, True) for one in drawn} == {one.key: set() for one in drawn}
    assert {sample.metrics["image_edits"] for sample in drawn} == {0}
