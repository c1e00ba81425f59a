import pytest

from ttrl.rl.folding import fold


def test_equal_completions_are_one_sample_with_their_number_as_weight(make_group, vote_and_score):
    texts = [r"\boxed{1}", r"\boxed{2}", r"\boxed{1}", r"a \boxed{1}"]
    samples = fold(vote_and_score(make_group(texts)))
    told = [(s.completion.text, s.weight, s.reward) for s in samples]
    assert told == [(r"\boxed{1}", 2, 1), (r"\boxed{2}", 1, 0), (r"a \boxed{1}", 1, 1)]
    assert not any(s.advantages or s.old_logprobs or s.penalties for s in samples)


def test_equal_completions_with_different_rewards_stay_apart(completion, group):
    one = completion([5, 6])
    samples = fold(group([one, one, one, completion([7])], [1, 0, 1, 0]))
    assert [(s.completion.token_ids, s.reward, s.weight) for s in samples] == [
        ((5, 6), 1, 2),
        ((5, 6), 0, 1),
        ((7,), 0, 1),
    ]


def test_the_first_of_equal_completions_is_kept(completion, group):
    first, second = completion([5], logprobs=[-0.25]), completion([5], logprobs=[-0.5])
    (sample,) = fold(group([first, second], [1, 1]))
    assert sample.completion is first and sample.weight == 2


@pytest.mark.parametrize("count", [1, 5])
def test_weights_sum_to_the_completions(completion, group, count):
    samples = fold(group([completion([i % 3]) for i in range(count)], [0.0] * count))
    assert sum(s.weight for s in samples) == count
