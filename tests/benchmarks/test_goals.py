"""The table says what was measured: ratios of the same rounds, and nothing where nothing was."""

import json

import pytest

from benchmarks.goals import Row, rows
from benchmarks.plans import full, quick
from benchmarks.report import as_json, as_text, onto
from benchmarks.rounds import Results


def measured() -> Results:
    results = Results()
    results.figures["one by one"]["ours"] = [{"p50": 1.0, "p99": 3.0}, {"p50": 2.0, "p99": 3.0}]
    results.figures["one by one"]["A"] = [{"p50": 4.0, "p99": 2.0}, {"p50": 4.0, "p99": 2.0}]
    return results


def row(number: int, bound: str, other: str) -> Row:
    return next(one for one in rows(measured()) if one.number == number and one.bound == bound and other in one.unit)


def test_a_figure_is_the_ratio_of_the_same_round_and_its_goal_is_held_to_the_median() -> None:
    first = row(2, "at most", "A")
    assert first.values == [0.25, 0.5]
    assert first.figure == pytest.approx(0.375)
    assert first.holds is True


def test_what_misses_its_goal_says_so() -> None:
    assert [one.holds for one in rows(measured()) if "p99, one stream" in one.what and one.values] == [False]


def test_what_was_not_measured_is_neither_reached_nor_missed() -> None:
    empty = rows(Results())
    assert {one.holds for one in empty} == {None}
    assert {one.number for one in empty} == set(range(1, 17))


def test_the_table_is_text_and_json_and_tells_what_is_void() -> None:
    results = measured()
    results.void.append("paced 100, A: the client took 80% of a core")
    assert "void: paced 100" in as_text(rows(results), results)
    assert as_json(rows(results), results)["void"] == results.void


def test_what_is_measured_again_takes_the_place_of_what_was_and_leaves_the_rest() -> None:
    before, again = measured(), Results()
    before.figures["full speed 100"]["ours"] = [{"cpu": 1.0}]
    before.void += ["full speed 10, ours: short", "full speed 100, A: short", "full speed 10: not begun"]
    again.figures["full speed 10"]["ours"] = [{"cpu": 2.0}]
    both = onto(json.loads(json.dumps(as_json(rows(before), before))), again)
    assert both.of("full speed 100", "ours", "cpu") == [1.0]
    assert both.of("full speed 10", "ours", "cpu") == [2.0]
    assert both.of("one by one", "A again", "p50") == []
    assert both.void == ["full speed 100, A: short"]


def test_every_scenario_of_the_table_is_part_of_the_whole_measurement() -> None:
    names = {one.name for one in full()}
    assert {one.name for one in quick()} <= names
    assert len(names) == len(full())
