import pytest

from ttrl.answers.tasks import get_task
from ttrl.consensus.soft import SoftReward


def test_every_answer_earns_its_share_of_all_votes(make_group):
    group = make_group([r"\boxed{0.5}", r"\boxed{1/2}", r"\boxed{3}", "?"])
    scored = SoftReward(tie_seed=0)(get_task("math"), group)
    assert scored.rewards == (0.5, 0.5, 0.25, 0)


def test_the_mean_reward_is_the_collision_probability(make_group):
    texts = [rf"\boxed{{{n}}}" for n in (1, 1, 1, 2, 2, 3)]
    scored = SoftReward(tie_seed=0)(get_task("math"), make_group(texts))
    assert sum(scored.rewards) / 6 == pytest.approx((3 / 6) ** 2 + (2 / 6) ** 2 + (1 / 6) ** 2)
