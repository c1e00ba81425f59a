import pytest

from ttrl.errors import DataError
from ttrl.overlays.verl.batch_vote import Asked, sessions_by_prompt, vote_on_batch
from ttrl.overlays.verl.checks import voting_config
from ttrl.overlays.voting import GroupVoter, completion
from ttrl.types import Question

SEVEN, NINE, NONE = r"\boxed{7}", r"\boxed{9}", "no idea"


@pytest.fixture
def voter():
    """`voter(K, **settings)`"""
    return lambda trained, **block: GroupVoter(voting_config(block, trained=trained))


@pytest.fixture
def asked():
    """`asked(id, text, ...)`: a prompt with one output a session; None is a session that failed."""

    def make(id, *texts, votes=None):
        question = Question(id=id, prompt="?")
        there = [(n, text) for n, text in enumerate(texts) if text is not None]
        sessions = sessions_by_prompt([f"{id}_{n}_0" for n, _ in there])[id]
        completions = tuple(completion(question, text) for _, text in there)
        return Asked(
            question=question,
            votes=len(texts) if votes is None else votes,
            sessions=sessions,
            completions=completions,
        )

    return make


def test_all_vote_and_the_first_are_trained_on(voter, asked):
    """7 has 3 of 5 votes; of the first three completions, one says 7."""
    voted = vote_on_batch(voter(3), [asked("q", NINE, SEVEN, NONE, SEVEN, SEVEN)], step=0)
    assert voted.rewards == {"q_0_0": 0, "q_1_0": 1, "q_2_0": 0}
    assert voted.dropped == ("q_3_0", "q_4_0")
    assert voted.scored[0].consensus.majority_ratio == 3 / 5


def test_groups_are_apart(voter, asked):
    prompts = [asked("a", SEVEN, SEVEN, NINE), asked("b", NINE, NINE, SEVEN)]
    voted = vote_on_batch(voter(3), prompts, step=0)
    assert voted.rewards == {"a_0_0": 1, "a_1_0": 1, "a_2_0": 0, "b_0_0": 1, "b_1_0": 1, "b_2_0": 0}
    assert voted.dropped == ()


def test_without_an_answer_all_rewards_are_0(voter, asked):
    voted = vote_on_batch(voter(2), [asked("q", NONE, NONE, NONE)], step=0)
    assert voted.rewards == {"q_0_0": 0, "q_1_0": 0}


def test_a_group_that_the_rule_leaves_out_has_rewards_0(voter, asked):
    """Three texts of a hundred words, one of which differs in the last one: similarities hardly differ."""
    long = " ".join(f"w{n}" for n in range(100))
    texts = [f"{long} a", f"{long} a", f"{long} b"]
    voted = vote_on_batch(voter(2, task="text", reward="similarity"), [asked("q", *texts)], step=0)
    assert voted.scored[0].skipped is not None
    assert voted.rewards == {"q_0_0": 0, "q_1_0": 0}


@pytest.mark.parametrize(
    ("texts", "votes", "told"),
    [
        ((SEVEN, None, SEVEN), 3, "2 completions, wanted 3; sessions 1 are missing"),
        ((SEVEN, SEVEN), 3, "2 completions, wanted 3; sessions 2 are missing"),
        ((SEVEN, SEVEN, SEVEN), 2, "3 completions, wanted 2"),
        ((SEVEN,) + (None,) * 8, 9, r"sessions 1, 2, 3, 4, 5, \.\.\. are missing"),
    ],
)
def test_a_group_that_is_not_whole_is_told(voter, asked, texts, votes, told):
    with pytest.raises(DataError, match=told) as error:
        vote_on_batch(voter(2), [asked("q", *texts, votes=votes)], step=4)
    assert "step 5" in str(error.value) and "'q'" in str(error.value)
