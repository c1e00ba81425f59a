"""Outcomes are read from run folders: shares, votes, the same questions for every seed."""

from ttrl.evaluate.study.arms import outcome, read_arm, set_names, votes_at_equal_tokens
from ttrl.evaluate.study.equal_tokens import samples_at_equal_tokens
from ttrl.evaluate.study.layout import run_path


def read(study, arm="ttrl", seeds=(0, 1)):
    return read_arm(arm, {seed: run_path(study.path, arm, seed) for seed in seeds})


def test_shares_and_votes_are_one_row_per_seed(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0, 3), (4, 1))})
    study.run("ttrl", 1, {"unlabeled": ((1, 3), (2, 4))})
    found = outcome(read(study), "unlabeled")
    assert found is not None and found.ids == ("q0", "q1") and found.samples == 4
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
    assert found is not None and found.ids == ("q0", "q1")


def test_a_set_without_labels_has_no_outcome(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,))}, labeled=False)
    assert outcome(read(study, seeds=(0,)), "unlabeled") is None


def test_sets_are_those_that_every_run_has(study) -> None:
    study.run("ttrl", 0, {"unlabeled": ((0,), (4,)), "heldout": ((0,), (4,))})
    study.run("random", 0, {"unlabeled": ((0,), (4,))})
    assert set_names([read(study, seeds=(0,)), read(study, "random", (0,))]) == ["unlabeled"]


def test_equal_tokens_are_training_tokens_over_questions_and_length_rounded_up(study) -> None:
    steps = [{"sample/tokens": 150.0}, {"sample/tokens": 151.0}]
    study.run("ttrl", 0, {"unlabeled": ((0, 1), (4, 4))}, steps=steps)
    assert samples_at_equal_tokens(study.path, 0) == 16  # 301 / (2 questions x 10 tokens)
    assert samples_at_equal_tokens(study.path, 1) is None


def test_votes_at_equal_tokens_are_found_by_question(study) -> None:
    assert votes_at_equal_tokens(study.path, 0) is None
    study.equal_tokens(0, (9, 2), samples=16)
    assert votes_at_equal_tokens(study.path, 0) == ({"q0": True, "q1": False}, 16)
