import random
from collections import Counter
from itertools import pairwise, permutations, product
from math import comb, prod

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import hypergeom

from ttrl.consensus.adaptive import is_decided, lead_by_chance, rounds

few = st.integers(0, 40)


def stopped(stream, *, first, error):
    """The votes that the rule draws of a stream; None abstains."""
    sizes = rounds(first, len(stream))
    for size, _ in pairwise(sizes):
        counts = list(Counter(v for v in stream[:size] if v is not None).values())
        level = error / (len(sizes) - 1)
        if is_decided(counts, remaining=len(stream) - size, level=level):
            return stream[:size]
    return stream


def winner(votes):
    """Ties go to the smallest, so the largest of two equal answers is the wrong one."""
    counts = Counter(v for v in votes if v is not None)
    return min(counts, key=lambda v: (-counts[v], v)) if counts else None


def partitions(total, largest):
    if total == 0:
        yield ()
    for part in range(min(total, largest), 0, -1):
        for rest in partitions(total - part, part):
            yield (part, *rest)


@pytest.mark.parametrize(
    ("first", "votes", "sizes"),
    [(16, 64, (16, 32, 64)), (24, 64, (24, 48, 64)), (8, 8, (8,)), (16, 17, (16, 17))],
)
def test_rounds_double_and_end_at_all_votes(first, votes, sizes):
    assert rounds(first, votes) == sizes


@pytest.mark.parametrize(
    ("leader", "rival", "remaining", "chance"),
    [
        (2, 0, 2, 1 / 6),  # aabb: of the 6 pairs of it one is aa
        (3, 1, 2, 3 / 15),  # aaabbb: of the 15 fours of it 3 have all a
        (1, 1, 2, 5 / 6),  # aabb: all pairs but bb
        (3, 0, 4, 1 / 20),  # aaabbb, since of 7 votes one must be another's
        (3, 0, 2, 0),  # three of five cannot be overtaken
        (0, 0, 4, 1),
    ],
)
def test_chances_by_hand(leader, rival, remaining, chance):
    assert lead_by_chance(leader, rival, remaining=remaining) == pytest.approx(chance, abs=1e-15)


@given(few, st.integers(1, 40), few)
def test_the_chance_is_a_hypergeometric_tail(rival, lead, beyond):
    leader, remaining = rival + lead, lead + beyond
    drawn = leader + rival
    each = (drawn + remaining) // 2
    expected = hypergeom(2 * each, each, drawn).sf(leader - 1)
    assert lead_by_chance(leader, rival, remaining=remaining) == pytest.approx(expected, rel=1e-9)


@given(few, few, few)
def test_it_is_0_exactly_when_the_rest_cannot_reach_the_leader(leader, rival, remaining):
    assume(leader >= rival)
    chance = lead_by_chance(leader, rival, remaining=remaining)
    assert (chance == 0) == (leader - rival > remaining)


@given(few, few, few)
def test_a_larger_lead_and_fewer_votes_to_come_make_it_smaller(leader, rival, remaining):
    assume(leader > rival)
    chance = lead_by_chance(leader, rival, remaining=remaining) + 1e-12
    assert lead_by_chance(leader + 1, rival, remaining=remaining) <= chance
    assert lead_by_chance(leader, rival, remaining=max(0, remaining - 1)) <= chance
    if rival:
        assert lead_by_chance(leader, rival - 1, remaining=remaining) <= chance


@given(st.lists(st.integers(1, 30), max_size=6), few, st.floats(0, 0.5), st.randoms())
def test_the_order_of_the_answers_does_not_matter(counts, remaining, level, chooser):
    shuffled = chooser.sample(counts, len(counts))
    decided = is_decided(counts, remaining=remaining, level=level)
    assert is_decided(shuffled, remaining=remaining, level=level) == decided


def test_a_tie_and_no_answer_at_all_decide_nothing():
    assert not is_decided([8, 8], remaining=1, level=0.49)
    assert not is_decided([], remaining=10, level=0.49)


def test_an_answer_that_nobody_gave_yet_is_a_rival():
    assert not is_decided([2], remaining=62, level=0.2)  # 32 over 126, a little over 1/4
    assert is_decided([3], remaining=61, level=0.2)


def test_a_level_of_0_waits_until_nothing_is_open():
    assert not is_decided([40, 8], remaining=32, level=0.0)
    assert is_decided([41, 8], remaining=32, level=0.0)


def test_many_votes_are_counted_exactly_too():
    assert lead_by_chance(420, 380, remaining=800) == pytest.approx(
        hypergeom(1_600, 800, 800).sf(419), rel=1e-9
    )


@pytest.mark.parametrize("votes", [7, 8, 9])
def test_no_way_in_which_votes_fall_makes_a_look_err_more_often_than_its_level(votes):
    """Every final count of up to four answers, or three and abstentions, at every number drawn."""
    for final in partitions(votes, votes):
        if len(final) > 4:
            continue
        for abstains in (None, *range(len(final))):
            answers = [i for i in range(len(final)) if i != abstains]
            for drawn in range(1, votes):
                errors = Counter()
                for counts in product(*(range(count + 1) for count in final)):
                    leaders = sorted(answers, key=lambda i: -counts[i])
                    if sum(counts) != drawn or not leaders or leaders[0] == answers[0]:
                        continue  # the first answer wins in the end, and leads here
                    second = counts[leaders[1]] if len(leaders) > 1 else 0
                    chance = lead_by_chance(counts[leaders[0]], second, remaining=votes - drawn)
                    errors[chance] += prod(map(comb, final, counts))
                for level in (chance for chance in errors if chance < 0.5):
                    wrong = sum(ways for chance, ways in errors.items() if chance <= level)
                    assert wrong <= level * comb(votes, drawn) * (1 + 1e-9), (final, drawn)


@pytest.mark.parametrize("final", ["aaaabbbb", "aaabbbcc", "aaabbb--", "aabbccdd", "aaaaabbb"])
@pytest.mark.parametrize("error", [0.1, 0.2, 0.4])
def test_over_all_orders_of_the_votes_the_looks_together_err_at_most_as_chosen(final, error):
    orders = set(permutations(None if vote == "-" else vote for vote in final))
    changed = sum(winner(stopped(o, first=2, error=error)) != winner(o) for o in orders)
    assert changed <= error * len(orders)


@pytest.mark.parametrize("error", [0.01, 0.05, 0.1])
@pytest.mark.parametrize(
    "shares", [(0.5, 0.5), (0.45, 0.4, 0.15), (0.2,) * 5, (0.35, 0.3), (0.9, 0.1)]
)
def test_the_realised_error_of_64_votes_stays_under_the_chosen_one(shares, error):
    chooser = random.Random(7)
    answers, weights = [*range(len(shares)), None], [*shares, 1 - sum(shares)]
    streams = [chooser.choices(answers, weights, k=64) for _ in range(2_000)]
    changed = sum(winner(stopped(s, first=16, error=error)) != winner(s) for s in streams)
    assert changed <= error * len(streams)
