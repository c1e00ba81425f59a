from dataclasses import replace

from ttrl.answers.tasks import get_task
from ttrl.consensus.controls import FormatReward, RandomReward


def test_the_coin_is_fair_repeatable_and_blind_to_the_answer(make_group):
    task, rule = get_task("math"), RandomReward(tie_seed=0)
    groups = [make_group([r"\boxed{1}"] * 50 + ["?"] * 50, id=str(n)) for n in range(20)]
    rewards = [rule(task, group).rewards for group in groups]
    assert rewards == [rule(task, group).rewards for group in groups]
    heads = [reward for row in rewards for reward in row]
    assert set(heads) == {0.0, 1.0}
    assert 900 < sum(heads) < 1100  # 2,000 tosses, standard deviation 22
    silent = sum(reward for row in rewards for reward in row[50:])
    assert 420 < silent < 580


def test_the_coin_is_tossed_anew_for_new_samples_and_another_seed(make_group):
    task, group = get_task("math"), make_group([r"\boxed{1}"] * 32)
    again = replace(group, completions=(*group.completions[:-1], make_group(["no"]).completions[0]))
    rewards = RandomReward(tie_seed=0)(task, group).rewards
    assert rewards != RandomReward(tie_seed=0)(task, again).rewards
    assert rewards != RandomReward(tie_seed=1)(task, group).rewards


def test_the_format_alone_is_paid(make_group):
    group = make_group([r"\boxed{wrong}", r"\boxed{1}", "7", r"\boxed{}"])
    scored = FormatReward(tie_seed=0)(get_task("math"), group)
    assert scored.rewards == (1, 1, 0, 0)
    assert scored.consensus.counts == (1, 1)
