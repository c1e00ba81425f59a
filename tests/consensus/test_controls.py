from dataclasses import replace


def test_the_coin_is_fair_repeatable_and_blind_to_the_answer(make_group, vote_and_score):
    groups = [make_group([r"\boxed{1}"] * 50 + ["?"] * 50, id=str(n)) for n in range(20)]
    rewards = [vote_and_score(group, reward="random").rewards for group in groups]
    assert rewards == [vote_and_score(group, reward="random").rewards for group in groups]
    heads = [reward for row in rewards for reward in row]
    assert set(heads) == {0.0, 1.0}
    assert 900 < sum(heads) < 1100  # 2,000 tosses, standard deviation 22
    silent = sum(reward for row in rewards for reward in row[50:])
    assert 420 < silent < 580


def test_the_coin_is_tossed_anew_for_new_samples_and_another_seed(make_group, vote_and_score):
    group = make_group([r"\boxed{1}"] * 32)
    again = replace(group, completions=(*group.completions[:-1], make_group(["no"]).completions[0]))
    rewards = vote_and_score(group, reward="random").rewards
    assert rewards != vote_and_score(again, reward="random").rewards
    assert rewards != vote_and_score(group, reward="random", seed=1).rewards


def test_the_format_alone_is_paid(make_group, vote_and_score):
    group = make_group([r"\boxed{wrong}", r"\boxed{1}", "7", r"\boxed{}"])
    scored = vote_and_score(group, reward="format")
    assert scored.rewards == (1, 1, 0, 0)
    assert scored.consensus.counts == (1, 1)
