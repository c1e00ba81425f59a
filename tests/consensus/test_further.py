"""Votes of elsewhere join those of a group: they elect like them, and the rules see one vote."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.answers.key import answer_key
from ttrl.answers.tasks import get_task
from ttrl.consensus.rewards import agreement_rewards, mean_similarity, vote_shares
from ttrl.consensus.selective import selective_rewards
from ttrl.consensus.vote import elect, elect_in_both, vote_on_group
from ttrl.errors import ConfigError
from ttrl.types import FurtherVotes, KeyedAnswers

MATH = get_task("math")


def boxed(answers):
    return ["no idea" if a is None else rf"\boxed{{{a}}}" for a in answers]


def votes(answers, *, weight=1.0, source="views"):
    return FurtherVotes(source=source, answers=tuple(answers), weights=(weight,) * len(answers))


def joined(make_group, own, *further, **options):
    return vote_on_group(MATH, make_group(boxed(own)), tie_seed=0, further=further, **options)


def test_classes_are_of_all_votes_and_places_of_the_groups_own(make_group):
    # own 1 1 2 -, elsewhere 2.0 2 - 3: 2 has three votes, 1 two, 3 one; two of eight abstain
    consensus = joined(make_group, ["1", "1", "2", None], votes(["2.0", "2", None, "3"]))
    assert consensus.pseudo_label == "2" and consensus.counts == (3, 2, 1)
    assert consensus.labels == ("2", "1", "3") and consensus.abstained == 2
    assert consensus.class_of == (1, 1, 0, None) and consensus.answers == ("1", "1", "2", None)
    assert consensus.majority_ratio == 3 / 8 and consensus.votes == 8
    assert consensus.support == (3, 2, 1) and consensus.voters == 8
    assert agreement_rewards(consensus) == (0, 0, 1, 0)
    assert vote_shares(consensus) == (2 / 8, 2 / 8, 3 / 8, 0)
    assert mean_similarity(consensus) == (1 / 7, 1 / 7, 2 / 7, 0)


def test_weights_elect_and_counts_count(make_group):
    consensus = joined(make_group, ["1", "1", "2"], votes(["2", "2", "3"], weight=0.25))
    # 1: 2, 2: 1 + 2/4, 3: 1/4; voters 3 + 3/4
    assert consensus.pseudo_label == "1" and consensus.counts == (2, 3, 1)
    assert consensus.support == (2, 1.5, 0.25) and consensus.voters == 3.75
    assert consensus.majority_ratio == 2 / 6
    assert vote_shares(consensus) == pytest.approx((2 / 3.75, 2 / 3.75, 1.5 / 3.75))


def test_a_label_may_come_from_further_votes_alone_and_then_nobody_is_rewarded(make_group):
    consensus = joined(make_group, ["1", "2"], votes(["3", "3", "3"]))
    assert consensus.pseudo_label == "3" and consensus.class_of.count(0) == 0
    assert agreement_rewards(consensus) == (0, 0)


def test_votes_that_weigh_nothing_elect_nothing(make_group):
    consensus = joined(make_group, [None, None], votes(["3", "3"], weight=0.0))
    assert consensus.pseudo_label is None and consensus.winner is None
    assert consensus.majority_ratio == 0 and consensus.counts == (2,) and not consensus.tied
    assert vote_shares(consensus) == (0, 0) and agreement_rewards(consensus) == (0, 0)


def test_the_groups_weights_are_its_own_and_further_votes_keep_theirs(make_group):
    def weigh(group, answers):
        assert answers == ["1", "2"]
        return (1.0, 0.5)

    consensus = joined(make_group, ["1", "2"], votes(["2"], weight=2.0), weigh=weigh)
    assert consensus.pseudo_label == "2" and consensus.support == (2.5, 1)
    consensus = joined(make_group, ["1", "2"], votes(["2"], weight=1.0), weigh=weigh)
    assert consensus.support == (1.5, 1) and consensus.voters == 2.5


def test_selective_labels_look_at_the_share_of_all_votes(make_group):
    settings = {"share": 0.6, "margin": 0.0, "negative": 0.1, "entropy_weight": 0.0}
    group = make_group(boxed(["1", "1", "2"]))
    alone = vote_on_group(MATH, group, tie_seed=0)
    assert selective_rewards(group, alone, **settings) == (2 / 3, 2 / 3, 0)
    among = vote_on_group(MATH, group, tie_seed=0, further=[votes(["3", "4", "5"])])
    assert selective_rewards(group, among, **settings) == (0, 0, 0)  # 2 of 6 are no clear vote


# The harmonic vote: question A6 B2, view A1 B3 C4, as published ---------------------------------

OWN, VIEW = ["1"] * 6 + ["2"] * 2, ["1"] + ["2"] * 3 + ["3"] * 4


def test_the_pooled_vote_elects_what_one_side_is_sure_of(make_group):
    consensus = joined(make_group, OWN, votes(VIEW))
    assert consensus.pseudo_label == "1" and consensus.shares == (7 / 16, 5 / 16, 4 / 16)


def test_the_harmonic_vote_elects_what_both_sides_believe(make_group):
    # 1: 2 (6/8)(1/8) / (7/8) = .2143; 2: 2 (2/8)(3/8) / (5/8) = .3; 3: 0
    consensus = joined(make_group, OWN, votes(VIEW), label_rule="harmonic")
    assert consensus.pseudo_label == "2" and not consensus.tied
    assert agreement_rewards(consensus) == (0,) * 6 + (1, 1)
    assert consensus.counts == (5, 7, 4)


def test_further_votes_of_several_sources_are_one_side(make_group):
    parts = votes(VIEW[:3]), votes(VIEW[3:], source="base")
    consensus = joined(make_group, OWN, *parts, label_rule="harmonic")
    assert consensus == joined(make_group, OWN, votes(VIEW), label_rule="harmonic")


def test_two_sides_without_a_common_answer_have_no_label(make_group):
    consensus = joined(make_group, ["1", "1"], votes(["2", "2", None]), label_rule="harmonic")
    assert consensus.pseudo_label is None and consensus.majority_ratio == 0 and not consensus.tied
    assert consensus.counts == (2, 2)


def test_a_question_without_a_second_side_elects_by_its_own_votes(make_group):
    alone = joined(make_group, OWN)
    assert joined(make_group, OWN, label_rule="harmonic") == alone
    nothing = joined(make_group, OWN, votes(["2"] * 9, weight=0.0), label_rule="harmonic")
    assert nothing.pseudo_label == alone.pseudo_label


answers = st.lists(st.sampled_from([None, "1", "1.0", "2", "3"]), max_size=12)
weights = st.sampled_from([0.25, 0.5, 1.0, 2.0])


@given(answers, answers, st.randoms(), weights)
def test_neither_the_order_of_votes_nor_their_source_matters(own, others, random, weight):
    ballots = [*own, *others]
    keys = tuple(None if a is None else answer_key(a) for a in ballots)
    weighed = [1.0] * len(own) + [weight] * len(others)
    pooled = elect(ballots, KeyedAnswers(keys=keys), tie_seed=0, weights=weighed)
    order = list(range(len(ballots)))
    random.shuffle(order)
    again = elect(
        [ballots[i] for i in order],
        KeyedAnswers(keys=tuple(keys[i] for i in order)),
        tie_seed=0,
        weights=[weighed[i] for i in order],
    )
    assert (again.pseudo_label, again.counts, again.support, again.tied) == (
        pooled.pseudo_label,
        pooled.counts,
        pooled.support,
        pooled.tied,
    )
    assert sum(pooled.support) <= pooled.voters and pooled.votes == len(ballots)


@given(answers, answers)
def test_two_equal_sides_elect_what_one_of_them_elects(own, others):
    keys = tuple(None if a is None else answer_key(a) for a in own)
    once = elect(own, KeyedAnswers(keys=keys), tie_seed=0)
    twice = elect_in_both(own * 2, KeyedAnswers(keys=keys * 2), own=len(own), tie_seed=0)
    assert twice.pseudo_label == once.pseudo_label


# Texts: the most central of all answers -----------------------------------------------------------

TEXTS = ["the cat sat on the mat", "the cat sat on a mat", "dogs bark at night"]


def test_texts_from_elsewhere_join_as_votes(make_group):
    task = get_task("text")
    alone = vote_on_group(task, make_group(TEXTS[:2]), tie_seed=0)
    assert len(alone.centrality) == 2
    other = votes([TEXTS[2]] * 3)
    consensus = vote_on_group(task, make_group(TEXTS[:2]), tie_seed=0, further=[other])
    assert consensus.pseudo_label == TEXTS[2] and consensus.counts == (3, 1, 1)
    assert len(consensus.centrality) == len(consensus.to_label) == len(consensus.class_of) == 2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"further": [votes(TEXTS[:1], weight=0.5, source="visits")]}, "Leave visits out"),
        ({"further": [votes(TEXTS[:1])], "label_rule": "harmonic"}, "label_rule: pooled"),
        ({"weigh": lambda group, answers: (1.0, 1.0)}, "no weights.*Choose the reward"),
    ],
)
def test_what_similar_answers_cannot_have_is_refused_by_name(make_group, options, message):
    with pytest.raises(ConfigError, match=f"question 'q'.*{message}"):
        vote_on_group(get_task("text"), make_group(TEXTS[:2]), tie_seed=0, **options)
