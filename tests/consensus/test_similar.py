"""Rewards by similarity; the texts are small enough to count words."""

import pytest

A = "the cat sat on the mat"
B = "the cat sat on the rug"  # 5 of 6 words in order: 5/6
C = "a dog ran in my house"  # nothing in common with either


@pytest.fixture
def score(make_group, vote_and_score):
    """`score(texts, reward="similarity")`"""

    def run(texts, reward="similarity", **settings):
        return vote_and_score(make_group(texts), task="text", reward=reward, **settings)

    return run


def test_mean_similarity_to_the_other_votes_by_hand(score):
    scored = score([A, B, C, ""])
    # the empty text abstains and counts as similarity 0 among the three others
    assert scored.rewards == pytest.approx((5 / 18, 5 / 18, 0, 0))
    assert scored.consensus.abstained == 1


def test_similarity_to_the_medoid_and_a_threshold_on_it(score):
    texts = [A, A, B, C]
    medoid = score(texts, reward="medoid")
    assert medoid.consensus.pseudo_label == A and medoid.consensus.counts[0] == 2
    assert medoid.rewards == pytest.approx((1, 1, 5 / 6, 0))
    assert score(texts, reward="threshold", similarity_threshold=0.8).rewards == (1, 1, 1, 0)
    assert score(texts, reward="threshold", similarity_threshold=0.9).rewards == (1, 1, 0, 0)


def test_the_order_of_texts_never_matters(score):
    texts = [A, B, C, A, C, "the mat sat on the cat"]
    forward, back = score(texts), score(texts[::-1])
    assert forward.rewards == pytest.approx(back.rewards[::-1])
    assert forward.consensus.pseudo_label == back.consensus.pseudo_label


def test_a_nearly_flat_group_is_skipped_with_a_reason(score):
    assert score([A, A, A, A]).skipped is None  # no variance at all: nothing to say
    words = " ".join(f"w{n}" for n in range(200))
    texts = [words.replace(f"w{n} ", f"x{n} ") for n in range(3)] + [
        words.replace("w5 w6 ", "x5 x6 ")
    ]
    assert "standard deviation under 0.02" in str(score(texts).skipped)


def test_exact_answers_are_similar_if_equal(make_group, vote_and_score):
    group = make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{1}", r"\boxed{2}", "?"])
    assert vote_and_score(group, reward="similarity").rewards == (0.5, 0.5, 0.5, 0, 0)
    medoid = vote_and_score(group, reward="medoid")
    assert medoid.rewards == (1, 1, 1, 0, 0)


def test_agreement_is_the_majority_for_answers_and_the_similarity_for_texts(
    make_group, vote_and_score
):
    group = make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"])
    assert vote_and_score(group).rewards == (1, 1, 0)
    texts = vote_and_score(make_group([A, B, C]), task="text")
    assert texts.rewards == pytest.approx((5 / 12, 5 / 12, 0))


def test_programs_that_differ_in_names_only_are_one_class(make_group, vote_and_score):
    one = "```python\ndef f(a):\n    return a + 1\n```"
    same = "Here:\n```python\ndef g(number):\n    # add\n    return number + 1\n```"
    other = "```python\ndef f(a):\n    return [b for b in a if b]\n```"
    broken = "```python\ndef f(a:\n```"
    scored = vote_and_score(make_group([one, same, other, broken]), task="code")
    assert scored.consensus.class_of[0] == scored.consensus.class_of[1] == 0
    assert scored.consensus.class_of[3] is None and scored.rewards[3] == 0
    assert 1 / 3 < scored.rewards[0] == scored.rewards[1] < 2 / 3
    assert 0 < scored.rewards[2] < scored.rewards[0]
