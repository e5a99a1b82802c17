"""Identifiers say their kind, sort by time, and are never given twice."""

from shared.ids import new_id


def test_an_id_says_its_kind() -> None:
    assert new_id("run").startswith("run_")
    assert len(new_id("run")) == len("run_") + 32


def test_ids_sort_in_the_order_of_their_making() -> None:
    ids = [new_id("msg") for _ in range(2000)]
    assert ids == sorted(ids)
    assert len(set(ids)) == 2000
