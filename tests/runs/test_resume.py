"""What has to be equal for a run to go on."""

import pytest

from ttrl.errors import CheckpointError
from ttrl.recording.run_directory import RunDirectory, make_manifest
from ttrl.runs.resume import check_same_inputs


def manifest(peer):
    return make_manifest(
        command="train",
        model_fingerprint="m",
        questions=[],
        prompts=[],
        true_labels=None,
        peer_fingerprint=peer,
    )


@pytest.fixture
def started(tmp_path):
    def start(peer):
        return RunDirectory.create(tmp_path / "run", config="", manifest=manifest(peer))

    return start


def test_a_changed_peer_is_noticed(started) -> None:
    run = started("one")
    check_same_inputs(run, manifest("one"))
    with pytest.raises(CheckpointError, match=r"the peer's files have changed .*one then, two now"):
        check_same_inputs(run, manifest("two"))


def test_a_run_without_a_peer_has_no_such_input(started) -> None:
    assert "peer" not in manifest(None)["inputs"]
    check_same_inputs(started(None), manifest(None))
