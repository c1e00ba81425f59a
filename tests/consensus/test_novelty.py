"""EVOL-RL's bands: the elected above the others, and novel ones above the usual within each."""

import numpy as np
import pytest

from ttrl.consensus.novelty import novel_rewards


def test_the_worked_example(make_group, vote_and_score):
    """Novelty .1 .3 .2 .5 of A and .4 .6 of B give .5 .75 .625 1 and -1 -.5.

    Each has a twin without an answer: with similarity m to all of its band and t to the twin, novelty is
    1 - (m + t) / 2. With m = 0.2, t = 2 (1 - novelty) - m.
    """
    letters, novelty = "AAAABB", [0.1, 0.3, 0.2, 0.5, 0.4, 0.6]
    texts = [rf"{i} \boxed{{{ord(a)}}}" for i, a in enumerate(letters)]
    group = make_group([*texts, *(f"twin {i}" for i in range(6))])
    similar = np.eye(12)
    for i in range(6):
        for j in range(6):
            if i != j and letters[i] == letters[j]:
                similar[i, j] = 0.2
        similar[i, 6 + i] = similar[6 + i, i] = 2 * (1 - novelty[i]) - 0.2
    consensus = vote_and_score(group).consensus
    found = novel_rewards(group, consensus, similarities=lambda _: similar)
    assert found == pytest.approx([0.5, 0.75, 0.625, 1.0, -1.0, -0.5, *[-1.0] * 6])


def test_one_alone_and_equal_ones_get_the_middle(vote_and_score, make_group):
    group = make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}", "none"])
    assert vote_and_score(group, reward="novel").rewards == (0.75, 0.75, -0.75, -1.0)


def test_nobody_answers(vote_and_score, make_group):
    assert vote_and_score(make_group(["a", "b"]), reward="novel").rewards == (-1.0, -1.0)


def test_another_wording_is_rewarded_more_and_order_does_not_matter(vote_and_score, make_group):
    texts = [
        r"add 3 and 4: \boxed{7}",
        r"add 3 and 4 now: \boxed{7}",
        r"half of fourteen \boxed{7}",
    ]
    forth = vote_and_score(make_group(texts), reward="novel").rewards
    back = vote_and_score(make_group(texts[::-1]), reward="novel").rewards
    assert forth == pytest.approx(back[::-1])
    assert max(forth) == forth[2] == 1.0 and min(forth) == 0.5
