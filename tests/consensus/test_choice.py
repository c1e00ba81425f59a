import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.tasks import make_task
from ttrl.config import RunConfig
from ttrl.consensus.choice import agreement_with_all, best_of, classes_of
from ttrl.types import Question

TASK = make_task(RunConfig())


def test_equal_answers_have_one_class_across_checkpoints():
    questions = [Question(id="a", prompt="?"), Question(id="b", prompt="?")]
    first = (("0.5", "7"), ("7", None))
    second = ((r"\frac12", "3"), ("7", "8"))
    assert classes_of([first, second], questions, TASK) == [
        ((0, 1), (0, None)),
        ((0, 2), (0, 1)),
    ]


def test_each_checkpoint_is_compared_with_the_vote_of_all():
    # Question 1: class 0 has 4 of 6 votes. Question 2: class 1 has 3 of 5.
    candidates = [((0, 0), (1, None)), ((0, 1), (1, 1)), ((0, 2), (2, 0))]
    assert agreement_with_all(candidates) == pytest.approx([3 / 4, 3 / 4, 1 / 4])


def test_a_tie_counts_as_the_mean_over_the_tied_answers():
    assert agreement_with_all([((0, 0),), ((1, 1),)]) == [0.5, 0.5]


def test_a_question_without_an_answer_counts_as_nothing():
    assert agreement_with_all([((None,), (0,)), ((None,), (None,))]) == [0.5, 0]


def test_of_equal_scores_the_latest_is_best():
    assert best_of([0.5, 0.75, 0.75, 0.25]) == 2


@given(
    st.integers(1, 4).flatmap(
        lambda n: st.lists(
            st.lists(
                st.lists(st.none() | st.integers(0, 3), min_size=2, max_size=2),
                min_size=n,
                max_size=n,
            ),
            min_size=1,
            max_size=5,
        )
    )
)
def test_scores_are_shares_and_follow_their_checkpoints(candidates):
    scores = agreement_with_all(candidates)
    assert all(0 <= score <= 1 for score in scores)
    assert agreement_with_all(candidates[::-1]) == pytest.approx(scores[::-1])
