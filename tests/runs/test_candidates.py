"""`keep: best` chooses by answers alone, evaluates and exports its choice, and resumes to the same one."""

import hashlib
import json

import pytest

from ttrl.cli.main import main
from ttrl.errors import ConfigError
from ttrl.recording.results import read_result
from ttrl.runs.start import train

SETTINGS = dict(
    limit=4, steps=5, questions_per_step=2, votes_per_question=8, trained_per_question=4, samples=2, seed=1,
    max_tokens=64, eval_sets=["unlabeled"], checkpoint_every=2, keep="best", learning_rate=1e-2, guard="off",
)  # fmt: skip


class Killed(Exception):
    """Ends a run with nothing saved but what was saved before."""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    path = tmp_path_factory.mktemp("kept") / "run"
    return train(out=str(path), **SETTINGS), path


def weights_of(path):
    return hashlib.sha256((path / "model" / "model.safetensors").read_bytes()).hexdigest()


def test_base_and_every_checkpoint_are_asked_and_the_highest_score_is_kept(run):
    result, path = run
    kept = json.loads((path / "keep.json").read_text())
    scores = {row["step"]: row["score"] for row in kept["candidates"]}
    assert list(scores) == [0, 2, 4, 5]
    assert scores[kept["step"]] == max(scores.values())
    assert result.kept_step == kept["step"] == read_result(path).kept_step
    assert result.weights == str(path / kept["checkpoint"])


def test_only_the_chosen_and_the_last_weights_stay(run):
    result, path = run
    assert result.kept_step < 5  # at this rate the model forgets everything
    assert [each.name for each in (path / "candidates").iterdir()] == [
        f"step-{result.kept_step:06d}"
    ]
    assert (path / "checkpoints" / "step-000005").is_dir()


def test_the_final_evaluation_is_that_of_the_chosen_weights(run, tmp_path):
    from ttrl.runs.start import evaluate

    result, path = run
    keys = ("limit", "samples", "max_tokens", "seed", "eval_sets")
    again = evaluate(model=f"{result.weights}/model", **{key: SETTINGS[key] for key in keys})
    final = result.evaluations["unlabeled", "final"]
    assert [q.counts for q in again.evaluations["unlabeled"].questions] == [
        q.counts for q in final.questions
    ]
    html = (path / "report.html").read_text()
    assert "Which checkpoint" in html
    assert "votes equal to the base" in html


def test_export_writes_the_chosen_weights(run, tmp_path):
    result, path = run
    assert main(["export", str(path), "--out", str(tmp_path / "model")]) == 0
    assert (tmp_path / "model" / "model.safetensors").read_bytes() == (
        path / "candidates" / f"step-{result.kept_step:06d}" / "model" / "model.safetensors"
    ).read_bytes()


def test_a_killed_run_goes_on_to_the_same_choice(run, tmp_path):
    _, path = run
    out = tmp_path / "run"

    def kill(done):
        if done.step == 4:
            raise Killed

    with pytest.raises(Killed):
        train(out=str(out), on_step=kill, **SETTINGS)
    again = train(resume=str(out))
    for name in ("keep.jsonl", "keep.json"):
        assert (out / name).read_bytes() == (path / name).read_bytes()
    kept = f"candidates/step-{again.kept_step:06d}"
    assert weights_of(out / kept) == weights_of(path / kept)


def test_a_candidate_has_its_weights_on_disk_only_while_it_is_the_best(tmp_path):
    out, seen = tmp_path / "run", []
    train(
        out=str(out),
        on_step=lambda _: seen.append(len(list((out / "candidates").iterdir()))),
        **SETTINGS,
    )
    assert seen == [1] * 5


def test_answers_that_are_only_similar_are_refused_by_name(tmp_path):
    with pytest.raises(ConfigError, match="keep=best with task=text"):
        train(out=str(tmp_path / "run"), task="text", keep="best")
