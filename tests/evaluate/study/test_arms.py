"""Outcomes are read from run folders: shares, votes, the same questions for every seed."""

import json

import pytest

from ttrl.evaluate.study.arms import ahead, common, outcome, pass_rates, read_arm
from ttrl.evaluate.study.equal_tokens import equal_tokens, samples_at_equal_tokens
from ttrl.evaluate.study.layout import run_path


def read(study, arm="ttrl", seeds=(0, 1)):
    return read_arm(arm, {seed: run_path(study.path, arm, seed) for seed in seeds})


def test_shares_and_votes_are_one_row_per_seed(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0, 3), (4, 1))})
    study.run("ttrl", 1, {"unlabeled": ((1, 3), (2, 4))})
    found = outcome(read(study), "unlabeled")
    assert (
        found is not None
        and [id for id, _ in found.questions] == ["q0", "q1"]
        and found.samples == 4
    )
    assert found.before.tolist() == [[0, 0.75], [0.25, 0.75]]
    assert found.after.tolist() == [[1, 0.25], [0.5, 1]]
    assert found.gain.tolist() == [[1, -0.5], [0.25, 0.25]]
    assert found.vote_before.tolist() == [[False, True], [False, True]]
    assert found.vote_after.tolist() == [[True, False], [False, True]]


def test_runs_that_have_not_ended_are_left_out(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    arm = read(study, seeds=(0, 1, 2))
    assert arm is not None and arm.seeds == (0,)
    assert read(study, arm="random") is None


def test_questions_that_one_seed_lacks_are_left_out(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0, 3, 1), (4, 1, 1))})
    study.run("ttrl", 1, {"unlabeled": ((1, 3), (2, 4))})
    found = outcome(read(study), "unlabeled")
    assert found is not None and [id for id, _ in found.questions] == ["q0", "q1"]


def test_a_set_without_labels_has_no_outcome(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))}, labeled=False)
    assert outcome(read(study, seeds=(0,)), "unlabeled") is None


def test_sets_are_those_that_every_seed_has(study):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,)), "heldout": ((0,), (4,))})
    study.run("ttrl", 1, {"unlabeled": ((0,), (4,))})
    assert read(study).sets() == ["unlabeled"]


def test_a_question_that_was_changed_between_seeds_is_not_the_same_one(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 1))})
    run = study.run("ttrl", 1, {"unlabeled": ((0, 1), (4, 1))})
    path = run / "evaluations" / "base-unlabeled.json"
    evaluation = json.loads(path.read_text("utf-8"))
    evaluation["questions"][0]["prompt"] = "another one?"
    path.write_text(json.dumps(evaluation), "utf-8")
    found = outcome(read(study), "unlabeled")
    assert found is not None and [id for id, _ in found.questions] == ["q1"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("result.json", "{}"),
        ("result.json", '{"sets": []}'),
        ("result.json", '{"sets": {"unlabeled": {"base": {}}}}'),
        ("result.json", ""),
        ("evaluations/final-unlabeled.json", "{not json"),
        ("evaluations/final-unlabeled.json", "[]"),
        ("evaluations/base-unlabeled.json", '{"metrics": {}}'),
    ],
)
def test_a_damaged_run_is_left_out_and_costs_no_other(study, file, text):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    damaged = study.run("ttrl", 1, {"unlabeled": ((0,), (4,))})
    (damaged / file).write_text(text, "utf-8")
    assert read(study).seeds == (0,)


def test_arms_are_compared_on_the_seeds_and_questions_that_both_have(study):
    study.run("ttrl", 1, {"unlabeled": ((0, 0), (4, 2))})
    study.run("ttrl", 2, {"unlabeled": ((0, 0), (4, 4))})
    for seed, final in ((0, (4, 4)), (1, (1, 4)), (2, (0, 4))):
        study.run("random", seed, {"unlabeled": ((0, 0), final)})
    ours = outcome(read(study, seeds=(1, 2)), "unlabeled")
    theirs = outcome(read(study, "random", (0, 1, 2)), "unlabeled")
    assert ours is not None and theirs is not None
    pair = common(ours, theirs)
    assert pair is not None and pair[0].seeds == pair[1].seeds == (1, 2)
    assert pair[1].after.tolist() == [[0.25, 1], [0, 1]]
    # (1 - .25) + (.5 - 1) under seed 1, (1 - 0) + (1 - 1) under seed 2, over four cells
    assert ahead(ours, theirs).value == pytest.approx((0.75 - 0.5 + 1 + 0) / 4)


def test_arms_without_a_common_seed_are_not_compared(study):
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))})
    study.run("random", 1, {"unlabeled": ((0,), (4,))})
    ours = outcome(read(study, seeds=(0,)), "unlabeled")
    theirs = outcome(read(study, "random", (1,)), "unlabeled")
    assert ahead(ours, theirs) is None


def test_pass_rates_come_from_shares():
    import numpy as np

    shares = np.array([[0, 0.25, 0.5, 1]])
    assert pass_rates(shares, 4, 2).tolist() == [[0, 0.5, 1 - 1 / 6, 1]]


STEPS = ({"sample/tokens": 150.0}, {"sample/tokens": 151.0})


def test_equal_tokens_are_training_tokens_over_questions_and_length_rounded_up(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 4))}, steps=STEPS)
    arm = read(study, seeds=(0,))
    assert samples_at_equal_tokens(arm, questions=2) == 16  # 301 / (2 questions x 10 tokens)
    assert samples_at_equal_tokens(arm, questions=64) == 1  # also those that are not evaluated


def test_a_vote_that_was_taken_is_found_and_one_that_needs_none_is_told(study):
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 4))}, steps=STEPS)
    arm = read(study, seeds=(0,))
    assert equal_tokens(study.path, arm, questions=2, seeds=(0, 1)) is None  # 16 > 4, not taken
    few = equal_tokens(study.path, arm, questions=64, seeds=(0, 1))
    assert few is not None and few.votes is None and few.samples == 1
    study.equal_tokens(1, (9, 2), samples=16)
    taken = equal_tokens(study.path, arm, questions=2, seeds=(0, 1))
    assert taken is not None and taken.samples == 16
    assert list(taken.votes.values()) == [True, False]
