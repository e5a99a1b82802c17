"""What a run's error code says of the bound that ended it."""

from shared.bounds import Bound


def test_each_bound_has_a_sentence_of_its_own_for_its_user() -> None:
    sentences = {bound.sentence for bound in Bound}
    assert len(sentences) == len(Bound)
    assert all(sentence.endswith(".") for sentence in sentences)
