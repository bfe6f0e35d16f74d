r"""Label graphs and their comparison: golden values derived by hand, and lgeval's results.

lgeval's results need IM2TEX_DATA, a folder with crohme/lgeval_verdicts.tsv and its neighbours.
"""

import csv
import json
import os
import re
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_symbol_tree import PIECES

from im2tex.latex.label_graph.label_graph import (
    GraphComparison,
    LabelGraph,
    _build_graph,
    compare_label_graphs,
    label_graph,
    try_label_graph,
)
from im2tex.latex.label_graph.layout_tree import layout_tree
from im2tex.latex.tokens import LatexError


def compare_formulas(prediction, reference, *, strict=False):
    """The comparison of two formulas; None for a reference that lgeval does not score."""
    gold, guess = (try_label_graph(tokens, strict=strict) for tokens in (reference, prediction))
    if gold is not None:
        return compare_label_graphs(guess, gold, strict=strict)
    return GraphComparison(0, 0, False, False) if strict else None


def counts(graph):
    """Number of symbols and of edges."""
    return sum(map(len, graph.nodes.values())), sum(map(len, graph.edges.values()))


def errors(reference, prediction, strict=False):
    """(node errors, edge errors, structure) of a prediction."""
    found = compare_formulas(prediction.split(), reference.split(), strict=strict)
    return found.node_errors, found.edge_errors, found.structure_exact


def test_label_graph_positions_and_edges():
    graph = label_graph(["x _ { a b } ^ 2 + y z"])
    assert graph.nodes == {
        "O": ("x",),
        "OSub": ("a",),
        "OSub1": ("b",),
        "OSup": ("2",),
        "O1": ("+",),
        "O2": ("y",),
        "O3": ("z",),
    }
    assert graph.edges == {
        ("O", "OSub"): ("Sub",),
        ("OSub", "OSub1"): ("Right",),
        ("O", "OSup"): ("Sup",),
        ("O", "O1"): ("Right",),
        ("O1", "O2"): ("Right",),
        ("O2", "O3"): ("Right",),
    }
    assert counts(graph) == (7, 6)


def test_label_graph_roots_share_a_position():
    graph = label_graph(["{ } ^ 2 x"])
    assert graph == LabelGraph({"O": ("2", "x")}, {})


@pytest.mark.parametrize(
    ("reference", "prediction", "expected"),
    [
        # A wrong symbol is its label. Two swapped ones are two.
        ("x ^ 2", "y ^ 2", (1, 0, True)),
        ("a b c", "b a c", (2, 0, True)),
        # A missing last symbol is a node and an edge.
        ("a b c", "a b", (1, 1, False)),
        # A missing second one moves the others: b c d e stand where c d e and nothing do.
        ("a b c d e", "a c d e", (4, 1, False)),
        # Equal neighbours hide the move.
        ("a a a a a", "a a a a", (1, 1, False)),
        # A script elsewhere: its place and its edge are missing, another place and edge surplus.
        ("x ^ 2", "x _ 2", (2, 2, False)),
        ("x ^ 2", "x 2", (2, 2, False)),
        # What is inside another branch does not move.
        (r"\frac { a b } { c } d", r"\frac { a } { c } d", (1, 1, False)),
        # The root's second edge goes with its second symbol.
        (r"\sqrt { x y }", r"\sqrt { x }", (1, 2, False)),
        (r"\sqrt { x y }", r"\sqrt { x } y", (2, 3, False)),
        (r"\sqrt { x y z }", r"\sqrt { x y }", (1, 1, False)),
        # Slash for bar: - a b against a / b: three labels or places each, four edges.
        (r"\frac { a } { b }", "a / b", (5, 4, False)),
    ],
)
def test_compare_formulas_label_errors(reference, prediction, expected):
    assert errors(reference, prediction) == expected
    assert errors(prediction, reference) == expected
    assert errors(reference, prediction, strict=True) == expected


def test_compare_formulas_prediction_without_graph():
    tools = compare_formulas([r"\foo"], ["x"])
    strict = compare_formulas([r"\foo"], ["x"], strict=True)
    assert tools.errors == strict.errors == 1
    assert tools.within(1)
    assert not tools.within(0)
    assert not strict.within(1)
    assert errors(r"\sqrt { x y }", r"\foo") == (3, 3, False)  # root, x, y; Inside twice, Right
    missing = compare_formulas(None, ["{", "}"])
    assert missing.within(0)  # a graph without symbols against none
    assert not compare_formulas(None, ["{", "}"], strict=True).within(3)


def test_compare_formulas_reference_without_graph():
    assert compare_formulas(["x"], [r"\foo"]) is None
    wrong = compare_formulas([r"\foo"], [r"\foo"], strict=True)
    assert not wrong.within(100)
    assert not wrong.structure_exact


@pytest.mark.parametrize(
    ("reference", "prediction", "tools", "strict"),
    [
        # One matrix entry wrong. To lgeval all entries are labels of the position O.
        (
            r"\begin{matrix} a & b \end{matrix}",
            r"\begin{matrix} a & c \end{matrix}",
            (0, 0, True),
            (1, 0, True),
        ),
        (r"\gamma", r"\Gamma", (0, 0, True), (1, 0, True)),
        ("{ } ^ 2 x", "{ } ^ 2 y", (0, 0, True), (1, 0, True)),
        ("{ } ^ 2 x", "2", (0, 0, True), (1, 0, True)),
        (r"x + \mathrm { a }", r"x + \mathrm { b }", (0, 0, True), (1, 0, True)),
        (r"x \mathbf { a }", "x a", (1, 1, False), (1, 0, True)),
        (r"\dfrac a b + c", r"\frac a b + c", (5, 3, False), (0, 0, True)),
    ],
)
def test_compare_formulas_strict_differs(reference, prediction, tools, strict):
    assert errors(reference, prediction) == tools
    assert errors(reference, prediction, strict=True) == strict


# Formulas that are well formed, so that most have a graph.
def _formulas(children):
    braced = children.map(lambda inner: ["{", *inner, "}"])
    two = st.tuples(braced, braced)
    return st.one_of(
        st.lists(children, min_size=1, max_size=4).map(lambda many: [*chain.from_iterable(many)]),
        two.map(lambda pair: [r"\frac", *pair[0], *pair[1]]),
        st.tuples(children, st.sampled_from("^_"), braced).map(
            lambda part: [*part[0], part[1], *part[2]]
        ),
        st.tuples(children, two).map(lambda part: [*part[0], "_", *part[1][0], "^", *part[1][1]]),
        braced.map(lambda inner: [r"\sqrt", *inner]),
        braced.map(lambda inner: [r"\hat", *inner]),
        two.map(lambda pair: [r"\sum", r"\limits", "_", *pair[0], "^", *pair[1]]),
        children.map(lambda inner: ["(", *inner, ")"]),
        st.tuples(children, children).map(
            lambda pair: [r"\begin{matrix}", *pair[0], "&", *pair[1], r"\end{matrix}"]
        ),
    )


FORMULAS = st.recursive(
    st.sampled_from(["x", "y", "1", "+", "-", r"\alpha", r"\sin", ",", "(", "|"]).map(lambda t: [t])
    | st.just(["{", "}"]),
    _formulas,
    max_leaves=12,
)


@given(FORMULAS, st.booleans())
def test_compare_formulas_same_formula_has_no_error(tokens, strict):
    found = compare_formulas(tokens, tokens, strict=strict)
    assert found.errors == 0
    assert found.structure_exact


@given(FORMULAS)
def test_label_graph_ignores_outer_braces(tokens):
    assert label_graph(["{", *tokens, "}"]) == label_graph(tokens)


@given(FORMULAS, FORMULAS, st.booleans())
def test_compare_label_graphs_is_symmetric(one, other, strict):
    one, other = (label_graph(tokens, strict=strict) for tokens in (one, other))
    there, back = (
        compare_label_graphs(one, other, strict=strict),
        compare_label_graphs(other, one, strict=strict),
    )
    assert there == back
    assert (there.errors == 0) <= there.structure_exact


LINES = st.lists(st.sampled_from(["x", "1", "+", r"\alpha", r"\sin", "="]), min_size=1)


@given(LINES, st.integers(0, 30))
def test_compare_formulas_missing_symbol_moves_the_rest(line, at):
    # The place at the end with its edge, and every place before it that gets another label.
    at %= len(line)
    moved = sum(one != other for one, other in zip(line[at:], line[at + 1 :], strict=False))
    found = compare_formulas(line[:at] + line[at + 1 :], line)
    if len(line) > 1:
        assert (found.node_errors, found.edge_errors) == (moved + 1, 1)


@given(
    st.lists(st.sampled_from(PIECES), max_size=30), st.lists(st.sampled_from(PIECES), max_size=30)
)
def test_compare_formulas_any_tokens(prediction, reference):
    found = compare_formulas(prediction, reference)
    strict = compare_formulas(prediction, reference, strict=True)
    assert found is None or found.errors >= 0
    assert strict is not None


@given(st.lists(st.sampled_from([*PIECES, r"\Gamma", "Γ", r"\bm", r"\boxed"]), max_size=30))
def test_label_graph_strict_shared_graph_is_the_strict_graph(tokens):
    shared = try_label_graph(tokens, strict=True)
    try:
        own = layout_tree(tokens, strict=True)
    except LatexError:
        assert shared is None
    else:
        assert shared == _build_graph(own)


def test_label_graph_long_formula_is_cheap():
    # A place is written in a few characters however far to the right it is.
    graph = label_graph(["x"] * 20_000)
    assert max(map(len, graph.nodes)) == len("O19999")
    assert compare_label_graphs(graph, label_graph(["y", *["x"] * 19_999])).errors == 1


@pytest.fixture(scope="module")
def crohme():
    folder = os.environ.get("IM2TEX_DATA")
    if not folder:
        pytest.skip("IM2TEX_DATA is not set: it names the folder with crohme/lgeval_verdicts.tsv")
    for name in ("lgeval_verdicts.tsv", "lgeval_probes.tsv", "lgeval_examples.jsonl"):
        if not (Path(folder) / "crohme" / name).exists():
            pytest.skip(f"there is no crohme/{name} in IM2TEX_DATA ({folder})")
    return Path(folder) / "crohme"


def disagreements(path):
    """Rows in which a column differs from lgeval's, and the number of rows."""
    with path.open(newline="") as lines:
        rows = list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))
    bad = []
    for row in rows:
        gold = try_label_graph(row["gold"].split())
        guess = try_label_graph(row["prediction"].split())
        ours = {"ok_gold": gold is not None, "ok_pred": guess is not None}
        for graph, side in ((gold, "gold"), (guess, "pred")):
            if graph is not None:
                ours |= dict(
                    zip((f"n_nodes_{side}", f"n_edges_{side}"), counts(graph), strict=True)
                )
        if gold is not None:
            found = compare_label_graphs(guess, gold)
            ours |= {
                "exact": found.within(0),
                "structure_exact": found.structure_exact,
                "n_label_errors": found.errors,
                "n_node_errors": found.node_errors,
                "n_edge_errors": found.edge_errors,
            }
        # The tools count a graph that they have not got as 0, or leave the column empty.
        wrong = {k: v for k, v in ours.items() if row[k] != "" and int(row[k]) != int(v)}
        if wrong:
            bad.append((row["id"], row["gold"], row["prediction"], wrong))
    return bad, len(rows)


@pytest.mark.parametrize(
    ("name", "rows"), [("lgeval_verdicts.tsv", 1200), ("lgeval_probes.tsv", 167)]
)
def test_compare_label_graphs_equals_lgeval(crohme, name, rows):
    bad, count = disagreements(crohme / name)
    assert count == rows
    assert bad == []


def test_label_graph_equals_the_tools_graph(crohme):
    examples = [json.loads(line) for line in (crohme / "lgeval_examples.jsonl").open()]
    assert len(examples) == 107
    for example in examples:
        for formula, text in (("gold", "lg_gold"), ("prediction", "lg_pred")):
            if example[text] is None:
                assert try_label_graph(example[formula].split()) is None
                continue
            lines = example[text].splitlines()
            rows = [line.split(", ") for line in lines if line[:1] in ("O", "R")]
            places = {row[1]: row[4] for row in rows if row[0] == "O"}
            graph = label_graph(example[formula].split())
            written = {_runs_spelled_out(place): labels for place, labels in graph.nodes.items()}
            assert written == {row[4]: (row[2],) for row in rows if row[0] == "O"}
            related = {
                (_runs_spelled_out(start), _runs_spelled_out(end)): relations
                for (start, end), relations in graph.edges.items()
            }
            assert related == {
                (places[row[1]], places[row[2]]): (row[3],) for row in rows if row[0] == "R"
            }


def _runs_spelled_out(place):
    return re.sub(r"\d+", lambda run: "R" * int(run[0]), place)


def test_label_graph_of_every_crohme_caption(crohme):
    with (crohme / "captions.tsv").open(newline="") as lines:
        for row in csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE):
            tokens = row["label"].split()
            assert compare_formulas(tokens, tokens).errors == 0
            assert compare_formulas(tokens, tokens, strict=True).errors == 0
