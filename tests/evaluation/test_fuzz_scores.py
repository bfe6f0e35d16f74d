"""Whatever stands in files of formulas and results: figures, or a line that says what is wrong."""

import copy
import json
import random
import time

import pytest
from fuzzing import damaged_bytes, damaged_text, damaged_value, ends_well

from im2tex.commands.compare import compare
from im2tex.commands.formula_files import read_formulas
from im2tex.commands.score import score
from im2tex.commands.study import study

ROUNDS = 200
SECONDS = 5  # for one file; each is far smaller than a data set


SAMPLES = [
    {
        "key": str(number),
        "gold": ["x", "^", "2"],
        "prediction": None if number == 3 else ["x", "^", str(number)],
        "metrics": {"token_exact": number == 2, "token_edits": 1, "expression_errors": 0.5},
        "failed_at": "decode" if number == 3 else None,
        "score": -0.25,
        "latex": "x^2",
        "collection": "A",
        "reason": None,
    }
    for number in range(6)
]
RESULT = {
    "format": 1,
    "command": "im2tex test",
    "config": {"model": {"encoder": "row_cnn"}},
    "data": {
        "source": "crohme",
        "splits": {"test": 6},
        "filter": {"test": "none"},
        "stores": {"test": {"origin": "a.zip"}},
    },
    "seed": 0,
    "metrics": {"test": {"token_exact": 1 / 6, "bleu_norm": None}},
    "wall_time_s": 1.0,
    "signatures": {"beam": "SearchOptions(beam_size=5, n_best=1)"},
    "machine": {"cores": 1, "cpu": "A", "gpus": [{"name": "G"}]},
    "date": "2026-01-01T00:00:00+00:00",
    "samples": {"test": "a.test.samples.jsonl"},
    "breakdown": {"test": {"length": [{"group": "1-5", "samples": 6}]}},
    "chain": ["a.yaml"],
    "commit": None,
}


def formula_files(rng):
    """A file of formulas and its ending, in one of the shapes that are read."""
    formulas = [rng.choice(["x^2", r"\frac{1}{2}", "a+b", r"\text{if $x$}", ""]) for _ in range(4)]
    records = [
        {"key": str(n), "latex": one, "score": -0.5, "finished": True, "collection": "A"}
        for n, one in enumerate(formulas)
    ]
    if rng.random() < 0.6:
        records[0] = damaged_value(records[0], rng)
    ending = rng.choice(["jsonl", "json", "tsv", "txt"])
    if ending == "jsonl":
        return ending, "".join(json.dumps(record) + "\n" for record in records)
    if ending == "json":
        by_key = {str(n): one for n, one in enumerate(formulas)}
        whole = rng.choice([records, by_key, records[0], damaged_value(by_key, rng)])
        return ending, json.dumps(whole, indent=rng.choice([None, 1]))
    if ending == "tsv":
        head = rng.choice(["", "key\tlatex\n", "score\tid\tpred\n"])
        row = "{0}\t{1}\n" if head.count("\t") < 2 else "0.5\t{0}\t{1}\n"
        return ending, head + "".join(row.format(n, one) for n, one in enumerate(formulas))
    return ending, "\n".join(formulas)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(2))
def test_score_damaged_files_of_formulas_are_scored_or_named(tmp_path, seed, capsys):
    rng = random.Random(seed)
    gold = tmp_path / "gold.tsv"
    gold.write_text("0\tx^2\n1\ta+b\n2\ty\n3\tz\n")
    good = 0
    for number in range(ROUNDS):
        ending, text = formula_files(rng)
        if rng.random() < 0.6:
            text = damaged_text(text, rng)
        path = tmp_path / f"p.{ending}"
        path.write_bytes(damaged_bytes(text, rng))
        began = time.process_time()
        role = rng.choice(["predictions", "references"])
        if ends_well(lambda path=path, role=role: read_formulas(path, role)) and number % 8 == 0:
            out = tmp_path / "out" / "r"
            arguments = {"predictions": str(path), "references": str(gold), "out": out}
            good += ends_well(lambda given=arguments: score(**given, engine="none"))
        assert time.process_time() - began < SECONDS, text[:500]
    assert good > 5  # not everything is refused
    said = capsys.readouterr()
    assert all(char.isprintable() or char == "\n" for char in said.out + said.err)


@pytest.mark.timeout(240)
@pytest.mark.parametrize("seed", range(2))
def test_compare_and_study_damaged_results_are_compared_or_named(tmp_path, seed, capsys):
    rng = random.Random(seed)
    record, samples = RESULT, SAMPLES
    other = tmp_path / "other"
    for folder in (tmp_path, other):
        folder.mkdir(exist_ok=True)
        (folder / "a.json").write_text(json.dumps(record))
        (folder / "a.test.samples.jsonl").write_text("\n".join(map(json.dumps, samples)))
    good = 0
    for _ in range(ROUNDS):
        changed, lines = copy.deepcopy(record), [json.dumps(sample) for sample in samples]
        if rng.random() < 0.5:
            changed = damaged_value(changed, rng)
        else:
            place = rng.randrange(len(lines))
            lines[place] = json.dumps(damaged_value(samples[place], rng))
        text, lined = json.dumps(changed), "\n".join(lines)
        if rng.random() < 0.2:
            text = damaged_text(text, rng)
        elif rng.random() < 0.2:
            lined = damaged_text(lined, rng)
        (other / "a.json").write_bytes(text.encode("utf-8", "backslashreplace"))
        (other / "a.test.samples.jsonl").write_bytes(lined.encode("utf-8", "backslashreplace"))
        began = time.process_time()
        first, second = tmp_path / "a.json", other / "a.json"
        flags = {"resamples": 50, "as_json": rng.random() < 0.3}
        if rng.random() < 0.3:
            flags["changed"] = tmp_path / "c.jsonl"
        good += ends_well(lambda: compare(first, [second], **flags))  # noqa: B023 - called at once
        ends_well(lambda: study(other))
        assert time.process_time() - began < SECONDS
    assert good > ROUNDS // 10
    said = capsys.readouterr()
    assert all(char.isprintable() or char == "\n" for char in said.out + said.err)
