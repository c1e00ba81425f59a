"""Chances and expected z-scores against enumerations of all subsets and of all outcomes."""

import itertools
import math
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttrl.answers.tasks import get_task
from ttrl.consensus.marginal import marginal, unreliability
from ttrl.consensus.vote import elect, vote_on_group
from ttrl.types import FurtherVotes, KeyedAnswers


def vote(text, tie_seed=0):
    """One letter per vote; '-' abstains."""
    answers = [None if letter == "-" else letter for letter in text]
    keys = tuple(None if answer is None else (answer,) for answer in answers)
    return elect(answers, KeyedAnswers(keys=keys), tie_seed=tie_seed)


def chance_by_subsets(text, own, drawn):
    """The share of all votes of `drawn` with vote `own` that elect its answer, ties split."""
    others = [i for i in range(len(text)) if i != own]
    shares = []
    for subset in itertools.combinations(others, drawn - 1):
        counts = Counter(text[i] for i in (own, *subset) if text[i] != "-")
        most = max(counts.values(), default=0)
        tied = sum(count == most for count in counts.values())
        shares.append(1 / tied if text[own] != "-" and counts[text[own]] == most else 0.0)
    return math.fsum(shares) / len(shares)


def scores_by_outcomes(chances):
    """The mean over all 2^K outcomes of each z-score."""
    size, found = len(chances), [0.0] * len(chances)
    for outcome in itertools.product([0, 1], repeat=size):
        weight = math.prod(p if v else 1 - p for p, v in zip(chances, outcome, strict=True))
        mean = sum(outcome) / size
        if 0 < mean < 1:
            std = math.sqrt(mean * (1 - mean))
            for i, v in enumerate(outcome):
                found[i] += weight * (v - mean) / std
    return found


def chance_by_fractions(counts, abstained, own, drawn):
    """Exactly, class by class, for groups too large to enumerate: ways by votes used and by ties."""
    total = Fraction(0)
    for height in range(1, min(counts[own], drawn) + 1):
        ways = {(drawn - height, 0): math.comb(counts[own] - 1, height - 1)}
        for n in [c for i, c in enumerate(counts) if i != own]:
            after: Counter[tuple[int, int]] = Counter()
            for (left, ties), number in ways.items():
                for x in range(min(n, height, left) + 1):
                    after[left - x, ties + (x == height)] += number * math.comb(n, x)
            ways = after
        for (left, ties), number in ways.items():
            total += Fraction(number * math.comb(abstained, left), 1 + ties)
    return float(total / math.comb(sum(counts) + abstained - 1, drawn - 1))


def test_the_worked_example():
    """Trained A A B C, spare A B B A: of 35 subsets each, A wins 26.5 and B 19."""
    found = marginal(vote("AABCABBA"), range(4))
    assert found.chances == pytest.approx([26.5 / 35, 26.5 / 35, 19 / 35, 0], abs=1e-14)
    assert found.advantages == pytest.approx([0.5203, 0.5203, 0.0756, -1.1163], abs=5e-5)
    squares = 2 * 0.5203131**2 + 0.0756402**2 + 1.1162663**2
    assert found.unreliability == pytest.approx(1 - squares / 4, abs=1e-6)


@settings(max_examples=150, deadline=None)
@given(st.text("ABCDE-", min_size=2, max_size=9), st.integers(1, 9))
def test_chances_and_scores_are_those_of_an_enumeration(text, drawn):
    drawn = min(drawn, len(text))
    found = marginal(vote(text), range(drawn))
    chances = [chance_by_subsets(text, i, drawn) for i in range(drawn)]
    assert found.chances == pytest.approx(chances, abs=1e-12)
    assert found.advantages == pytest.approx(scores_by_outcomes(chances), abs=1e-12)


@pytest.mark.parametrize(
    ("counts", "abstained"),
    [
        ((20, 10, 8, 5, 4, 3, 2, 2, *[1] * 7), 3),
        ((30, 30, 4), 0),
        ((60, 1, 1, 1), 1),
        ((1,) * 60, 4),
        ((9, 9, 9, 9, 9, 9), 10),
    ],
)
def test_sixty_four_votes_and_thirty_two_trained_are_exact(counts, abstained):
    letters = "".join(chr(65 + i) * n for i, n in enumerate(counts)) + "-" * abstained
    spread = [letters[i * 37 % 64] for i in range(64)]
    found = marginal(vote(spread), range(32))
    expected = {
        chr(65 + i): chance_by_fractions(counts, abstained, i, 32) for i in range(len(counts))
    }
    assert found.chances == pytest.approx([expected.get(a, 0.0) for a in spread[:32]], abs=1e-12)
    assert math.fsum(found.advantages) == pytest.approx(0, abs=1e-12)


groups = st.text("ABCD-", min_size=4, max_size=40).flatmap(
    lambda text: st.tuples(st.just(text), st.integers(2, len(text)))
)


@given(groups)
def test_scores_sum_to_zero_and_lie_in_their_range(case):
    text, drawn = case
    found = marginal(vote(text), range(drawn))
    assert all(0 <= p <= 1 for p in found.chances)
    assert math.fsum(found.advantages) == pytest.approx(0, abs=1e-9)
    assert all(abs(a) <= math.sqrt(drawn - 1) + 1e-9 for a in found.advantages)
    assert 0 <= found.unreliability <= 1


@given(groups, st.randoms(use_true_random=False))
def test_neither_order_nor_the_elected_answer_matters(case, random):
    text, drawn = case
    order = list(range(drawn))
    random.shuffle(order)
    spare = list(text[drawn:])
    random.shuffle(spare)
    found = marginal(vote(text), range(drawn))
    moved = marginal(vote([text[i] for i in order] + spare, tie_seed=7), range(drawn))
    assert moved.advantages == tuple(found.advantages[i] for i in order)
    renamed = text.translate(str.maketrans("ABCD", "DCBA"))
    assert marginal(vote(renamed), range(drawn)) == found


@pytest.mark.parametrize("text", ["AAAAAAAA", "AAAA--------", "--------", "ABABABAB"])
def test_completions_with_one_chance_teach_exactly_nothing(text):
    kept = [i for i, letter in enumerate(text) if letter == text[0]][:4]
    found = marginal(vote(text), kept)
    assert found.advantages == (0.0,) * 4 and found.unreliability == 1


def test_where_all_votes_are_drawn_it_is_the_majority():
    found = marginal(vote("AAABB-C"), range(7))
    high, low = math.sqrt(4 / 3), -math.sqrt(3 / 4)
    assert found.chances == (1, 1, 1, 0, 0, 0, 0)
    assert found.advantages == pytest.approx([high] * 3 + [low] * 4)
    assert found.unreliability == pytest.approx(0)


def test_a_tie_is_split_evenly():
    assert marginal(vote("AABBC"), range(5)).chances == (0.5, 0.5, 0.5, 0.5, 0)


def test_any_completions_can_be_the_trained_ones():
    high, _, middle, low = marginal(vote("AABCABBA"), range(4)).advantages
    assert marginal(vote("ABBACBAA"), [4, 5, 6, 7]).advantages == (low, middle, high, high)


def test_unreliability_is_none_where_no_vote_can_be_redrawn(make_group, vote_and_score):
    texts = vote_and_score(make_group(["a b c", "a b d", "x"]), task="text")
    assert unreliability(texts.consensus, texts.kept) is None
    assert unreliability(vote("AAB"), [0]) is None
    assert unreliability(vote("AAB"), [0, 1, 2]) == pytest.approx(0)


def test_further_votes_are_in_the_pool_and_count_once_whatever_they_weigh(make_group):
    """The worked example with its spare votes from elsewhere, and with an abstention among them."""
    group = make_group([rf"\boxed{{{n}}}" for n in (1, 1, 2, 3)])
    spare = FurtherVotes(source="base", answers=("1", "2", "2", "1"), weights=(1, 0.5, 0.25, 2))
    joined = vote_on_group(get_task("math"), group, tie_seed=0, further=[spare])
    assert marginal(joined, range(4)) == marginal(vote("AABCABBA"), range(4))
    silent = FurtherVotes(source="base", answers=("1", None, "2", None), weights=(1,) * 4)
    joined = vote_on_group(get_task("math"), group, tie_seed=0, further=[silent])
    assert marginal(joined, range(4)) == marginal(vote("AABCA-B-"), range(4))
