"""`ttrl.vote`, as other people's pipelines call it."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttrl import vote
from ttrl.errors import ConfigError, DataError


def test_equal_spellings_join_and_everything_is_in_input_order():
    result = vote([r"\boxed{3}", r"\boxed{0.5}", "no idea", r"so \boxed{\frac12}"], id="q")
    assert result.id == "q" and result.pseudo_label == "0.5" and not result.tied
    assert result.majority_ratio == 2 / 4
    assert result.answers == ("3", "0.5", None, r"\frac12")
    assert result.classes == (1, 0, None, 0) and result.counts == (2, 1)
    assert result.rewards == (0, 1, 0, 1)


def test_a_cut_completion_says_so_itself():
    cut = {"completion": "The answer is 3", "finish_reason": "length"}
    assert vote(["The answer is 3", cut]).classes == (0, None)


def test_nothing_at_all_is_a_vote_without_a_label():
    for completions in ([], ["?", "!"]):
        result = vote(completions)
        assert result.pseudo_label is None and result.majority_ratio == 0
        assert result.rewards == (0,) * len(completions)


def test_choices_are_read_with_the_options_of_the_question():
    texts = ["The answer is B", r"\boxed{a dog}", "The answer is a strange one", r"\boxed{E}"]
    result = vote(texts, task="choice", options=["a cat", "a dog"])
    assert result.classes == (0, 0, None, None) and result.pseudo_label == "B"


def test_what_cannot_be_is_refused():
    with pytest.raises(ConfigError, match="task='maths'"):
        vote(["1"], task="maths")
    with pytest.raises(ConfigError, match="reward='best'"):
        vote(["1"], reward="best")
    with pytest.raises(ConfigError, match="needs true answers"):
        vote(["1"], reward="answer-key")
    with pytest.raises(ConfigError, match="unknown key"):
        vote(["1"], threshold=0.5)
    with pytest.raises(DataError, match="completion 1: got 7"):
        vote(["1", 7])  # type: ignore[list-item]


SPELLINGS = st.sampled_from(
    [r"\boxed{1/2}", r"\boxed{0.5}", r"\boxed{x+1}", r"\boxed{1+x}", r"\boxed{\sin x}", "none",
     r"\boxed{5}", r"\boxed{5\text{ cm}}", r"\boxed{5 m}", r"\boxed{(1,2)}", r"\boxed{9^{9^{9}}}"]
)  # fmt: skip


@settings(deadline=None)
@given(st.lists(SPELLINGS, min_size=64, max_size=64), st.randoms(use_true_random=False))
def test_64_votes_in_any_order_elect_the_same(texts, random):
    before = vote(texts)
    shuffled = list(texts)
    random.shuffle(shuffled)
    after = vote(shuffled)
    assert (before.pseudo_label, before.counts) == (after.pseudo_label, after.counts)
    assert sorted(before.rewards) == sorted(after.rewards)


def test_the_answer_layers_bring_neither_torch_nor_sympy():
    code = (
        "import sys, ttrl.answers.tasks, ttrl.consensus.voting, ttrl.answers, ttrl.consensus\n"
        "ttrl.consensus.voting.vote([r'\\boxed{1}', r'\\boxed{1.0}'])\n"
        "print([m for m in ('torch', 'transformers', 'sympy', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
