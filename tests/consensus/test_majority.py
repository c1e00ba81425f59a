from ttrl.consensus.rewards import agreement_rewards
from ttrl.consensus.vote import elect
from ttrl.types import KeyedAnswers


def test_agreeing_pays_one_and_everything_else_nothing():
    keyed = KeyedAnswers(keys=(("n", 7), ("n", 8), None, ("n", 7)))
    consensus = elect(["7", "8", None, "7"], keyed, tie_seed=0)
    assert agreement_rewards(consensus) == (1, 0, 0, 1)


def test_silence_that_agrees_with_silence_is_not_paid():
    assert agreement_rewards(elect([None, None], KeyedAnswers(keys=(None, None)), tie_seed=0)) == (
        0,
        0,
    )


def test_three_silent_completions_do_not_beat_one_answer(make_group, vote_and_score):
    # the public code pays the silent ones here
    group = make_group(["hm", "no", "...", r"\boxed{42}"])
    scored = vote_and_score(group, reward="majority")
    assert scored.rewards == (0, 0, 0, 1) and scored.consensus.pseudo_label == "42"
