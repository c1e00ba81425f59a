from __future__ import annotations

from pathlib import Path

from ttrl.overlays.trl.training import check_options, latest_checkpoint


def test_the_newest_whole_checkpoint_of_trl_is_found_by_its_number(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-x", "other-99"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "trainer_state.json").write_text('{"global_step": 10}')
    (tmp_path / "checkpoint-11").mkdir()  # the process was killed before its last file
    (tmp_path / "checkpoint-12").mkdir()  # or while it wrote it
    (tmp_path / "checkpoint-12" / "trainer_state.json").write_text('{"global_st')
    assert latest_checkpoint(tmp_path) == (tmp_path / "checkpoint-10", 10)


def test_a_folder_without_checkpoints_has_none(tmp_path: Path) -> None:
    assert latest_checkpoint(tmp_path) is None
    assert latest_checkpoint(tmp_path / "missing") is None


def test_without_options_trl_is_not_needed() -> None:
    check_options(())
