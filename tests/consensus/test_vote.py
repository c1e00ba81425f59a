import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.key import answer_key
from ttrl.answers.tasks import get_task
from ttrl.consensus.vote import elect, vote_on_group
from ttrl.types import KeyedAnswers


def keyed(spellings):
    return KeyedAnswers(keys=tuple(None if s is None else answer_key(s) for s in spellings))


def vote_on(spellings, tie_seed=0):
    return elect(spellings, keyed(spellings), tie_seed=tie_seed)


def test_equal_spellings_join_and_abstainers_still_count_in_the_ratio():
    consensus = vote_on(["0.5", r"\frac12", None, "7", "3"])
    assert consensus.pseudo_label == "0.5"
    assert consensus.counts == (2, 1, 1)
    assert consensus.class_of[:3] == (0, 0, None)
    assert consensus.majority_ratio == 2 / 5
    assert consensus.abstained == 1
    assert not consensus.tied


def test_the_published_split_vote_elects_the_half():
    # 3 x 0.5 and 3 x 1/2 against 4 x 3: counted as strings, 3 would win
    consensus = vote_on(["0.5"] * 3 + ["1/2"] * 3 + ["3"] * 4)
    assert consensus.pseudo_label in {"0.5", "1/2"} and consensus.counts == (6, 4)


def test_no_answer_never_wins_however_often_it_is_given():
    consensus = vote_on([None, None, None, "7"])
    assert consensus.pseudo_label == "7" and consensus.majority_ratio == 1 / 4


def test_without_any_answer_there_is_no_label():
    consensus = vote_on([None, None])
    assert consensus.pseudo_label is None and consensus.winner is None
    assert consensus.majority_ratio == 0 and consensus.counts == ()


def test_a_tie_is_told_and_depends_on_the_seed_alone():
    winners = {vote_on(["1", "2"], tie_seed=seed).pseudo_label for seed in range(20)}
    assert winners == {"1", "2"}
    assert vote_on(["1", "2"]).tied
    assert vote_on(["1", "2"]).pseudo_label == vote_on(["2", "1"]).pseudo_label


answers = st.lists(
    st.sampled_from([None, "1", "1.0", "2", "2/1", "3", "east"]), min_size=1, max_size=20
)


@given(answers, st.randoms())
def test_the_order_of_votes_never_matters(spellings, random):
    before = vote_on(spellings)
    shuffled = list(spellings)
    random.shuffle(shuffled)
    after = vote_on(shuffled)
    assert (before.pseudo_label, before.counts) == (after.pseudo_label, after.counts)


@given(answers)
def test_one_more_abstention_never_changes_the_winner(spellings):
    before, after = vote_on(spellings), vote_on([*spellings, None])
    assert before.pseudo_label == after.pseudo_label and before.counts == after.counts


def test_a_group_is_read_by_its_task_and_cut_completions_abstain(make_group):
    group = make_group(
        [r"\boxed{4}", r"so \boxed{4.0}", "the answer is 4", "step 3"],
        reasons=["stop", "length", "length", "stop"],
    )
    consensus = vote_on_group(get_task("math"), group, tie_seed=0)
    assert consensus.class_of == (0, 0, None, None)


def test_the_majority_ratio_counts_votes_and_not_weights():
    """One vote of three that weighs 5 wins with a ratio of 1/3 and a share of 5/7."""
    keyed = KeyedAnswers(keys=("a", "b", "b"))
    consensus = elect(["a", "b", "b"], keyed, tie_seed=0, weights=[5.0, 1.0, 1.0])
    assert consensus.pseudo_label == "a"
    assert consensus.majority_ratio == pytest.approx(1 / 3)
    assert consensus.shares == pytest.approx((5 / 7, 2 / 7))
