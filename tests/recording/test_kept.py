import pytest

from ttrl.errors import CheckpointError
from ttrl.recording.kept import KeptCheckpoint, kept_from, read_kept
from ttrl.recording.run_directory import RunDirectory

KEPT = KeptCheckpoint(
    step=4, folder="candidates/step-000004", scores=((0, 0.6, 0.6, 0.36), (4, 0.5, 0.8, 0.4))
)


def test_a_choice_comes_back_as_it_was_written(tmp_path):
    run = RunDirectory(tmp_path)
    assert read_kept(run) is None
    run.write_json("keep.json", KEPT.to_json())
    assert read_kept(run) == KEPT
    assert KEPT.path(tmp_path) == tmp_path / "candidates" / "step-000004"


@pytest.mark.parametrize(
    "folder", ["../x/step-1", "/etc", "candidates/../step-1", "candidates", 3, None]
)
def test_a_choice_that_names_no_checkpoint_of_the_run_is_damaged(tmp_path, folder):
    run = RunDirectory(tmp_path)
    run.write_json("keep.json", KEPT.to_json() | {"checkpoint": folder})
    with pytest.raises(CheckpointError, match=r"keep\.json is damaged"):
        read_kept(run)


def test_broken_rows_are_left_out():
    good = {"step": 1, "base": 0.5, "itself": 0.5, "score": 0.25}
    rows = [good, good | {"step": "x"}, 7, good | {"score": float("nan")}, {"step": 2}]
    kept = kept_from(KEPT.to_json() | {"candidates": rows})
    assert kept is not None
    assert kept.scores == ((1, 0.5, 0.5, 0.25),)
