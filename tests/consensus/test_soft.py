import pytest


def test_every_answer_earns_its_share_of_all_votes(make_group, vote_and_score):
    group = make_group([r"\boxed{0.5}", r"\boxed{1/2}", r"\boxed{3}", "?"])
    scored = vote_and_score(group, reward="soft")
    assert scored.rewards == (0.5, 0.5, 0.25, 0)


def test_the_mean_reward_is_the_collision_probability(make_group, vote_and_score):
    texts = [rf"\boxed{{{n}}}" for n in (1, 1, 1, 2, 2, 3)]
    scored = vote_and_score(make_group(texts), reward="soft")
    assert sum(scored.rewards) / 6 == pytest.approx((3 / 6) ** 2 + (2 / 6) ** 2 + (1 / 6) ** 2)
