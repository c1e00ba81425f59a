import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.consensus.choice import score_of
from ttrl.types import Question

TASK = make_task(RunConfig())
QUESTIONS = [Question(id="a", prompt="?"), Question(id="b", prompt="?")]


def scored(answers, base):
    return score_of(answers, base, questions=QUESTIONS[: len(base)], task=TASK)


def test_a_score_is_the_product_of_two_shares_of_equal_votes():
    base = (("1", "1", "2", "3"), ("7", "8", "9", "9"))
    own = (("1", "1", "1", "2"), ("9", "9", "9", "9"))
    found = scored(own, base)
    # 3 votes x 2 equal ones + 1 x 1 of 16; 4 x 2 of 16.
    assert found.base == pytest.approx((7 / 16 + 8 / 16) / 2)
    # 3 of 6 pairs, then all.
    assert found.itself == pytest.approx((3 / 6 + 1) / 2)
    assert found.value == pytest.approx(found.base * found.itself)


def test_equal_answers_may_be_spelled_in_two_ways():
    assert scored((("0.5", r"\frac12"),), (("1/2", "50\\%"),)).itself == 1


def test_a_vote_of_the_base_is_not_compared_with_itself():
    base = (("1", "1", "2", "3"),)
    found = scored(base, base)
    assert found.base == found.itself == pytest.approx(1 / 6)


def test_abstentions_equal_nothing():
    found = scored(((None, None),), (("1", None),))
    assert (found.base, found.itself) == (0, 0)


def test_sharper_votes_on_the_same_answers_score_higher_and_other_answers_lower():
    base = (("1", "1", "2", "3"),)
    sharper, drifted = (("1", "1", "1", "1"),), (("4", "4", "4", "4"),)
    assert scored(sharper, base).value > scored(base, base).value > scored(drifted, base).value == 0


votes = st.tuples(*[st.none() | st.sampled_from(["1", "2", "3", "x+1"])] * 3)


@given(st.tuples(votes, votes), st.tuples(votes, votes))
def test_scores_are_shares_and_agreement_with_the_base_is_symmetric(own, base):
    found = scored(own, base)
    assert 0 <= found.value <= min(found.base, found.itself) <= 1
    if own != base:
        assert found.base == pytest.approx(scored(base, own).base)
