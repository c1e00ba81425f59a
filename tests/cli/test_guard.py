"""The guard of a run: it ends one that collapses, with its results, and says so everywhere."""

import json

import pytest

from ttrl.training.guard import replay


@pytest.fixture(scope="module")
def collapsing(tiny):
    """Options of a run whose rate is far too high."""
    options = [part for part in tiny if part not in {"--guard", "off"}]
    return (*options, "--steps", "6", "--checkpoint-every", "2", "--samples", "1")


@pytest.fixture(scope="module")
def stopped(ttrl, collapsing, tmp_path_factory, folder_of):
    run = folder_of(tmp_path_factory.mktemp("guard") / "run")
    return ttrl("train", *collapsing, "--out", run.path), run


def decisions(run):
    return [json.loads(line) for line in (run.path / "guard.jsonl").read_text("utf-8").splitlines()]


def test_a_collapsing_run_ends_with_exit_code_5_and_all_its_results(stopped):
    outcome, run = stopped
    assert outcome.code == 5, outcome.err
    assert run.result["stopped"].startswith("guard: KL to the base")
    assert run.result["steps"] == run.last_step < 6
    assert {"base", "final"} == set(run.result["sets"]["unlabeled"])
    (decision,) = decisions(run)
    assert decision["step"] == run.last_step and decision["action"] == "stop"
    assert decision["signals"][0]["value"] > decision["signals"][0]["limit"]
    assert "the run ends here: KL to the base" in outcome.err
    report = (run.path / "report.html").read_text("utf-8")
    assert f"The guard ended the run after step {run.last_step}" in report


def test_what_the_run_decided_is_what_its_records_give(stopped):
    _, run = stopped
    assert [d.to_json() for d in replay(run.metrics)] == decisions(run)


def test_a_stopped_run_that_is_resumed_is_still_stopped(stopped, call):
    _, run = stopped
    before = run.weights
    assert call("train", "--resume", run.path).code == 5
    assert run.weights == before


def test_a_slowed_run_resumes_to_the_same_bits(
    call, collapsing, tmp_path, folder_of, monkeypatch, same
):
    from ttrl.engine.sampler import NativeSampler

    whole, broken = folder_of(tmp_path / "whole"), folder_of(tmp_path / "broken")
    options = (*collapsing, "--guard", "slow", "--eval-sets", "unlabeled")
    assert call("train", *options, "--out", whole.path).code == 0
    assert decisions(whole)[0]["rate_share"] == 0.5
    rates = [row.get("train/learning_rate") for row in whole.metrics]
    slowed = decisions(whole)[0]["step"]
    assert rates[slowed] == pytest.approx(0.002 * min(1.0, (slowed + 1) / 5) / 2)

    sample, drawn = NativeSampler.sample, []

    def interrupted(*arguments, **given):
        drawn.append(1)
        if len(drawn) == 6:
            raise KeyboardInterrupt
        return sample(*arguments, **given)

    with monkeypatch.context() as patch:
        patch.setattr(NativeSampler, "sample", interrupted)
        assert call("train", *options, "--out", broken.path).code == 130
    assert call("train", "--resume", broken.path).code == 0
    assert decisions(broken) == decisions(whole)
    assert broken.same_bits(whole) == same


def test_without_the_guard_nothing_is_measured(call, collapsing, tmp_path, folder_of):
    run = folder_of(tmp_path / "run")
    options = ("--guard", "off", "--steps", "2", "--eval-sets", "unlabeled", "--out", run.path)
    assert call("train", *collapsing, *options).code == 0
    assert not any(key.startswith("guard/") for row in run.metrics for key in row)
    assert not (run.path / "guard.jsonl").exists()
