"""Views, base, visits, teacher and peer: resumed to the same bits, blind to labels, counted in tokens."""

import json
import shutil

import pytest

OPTIONS = (
    "--views facts --label-votes base,visits,teacher,peer --peer ttrl-tiny --further-votes 4 "
    "--label-temperature 1 --steps 4 --checkpoint-every 2 --samples 1 --temperature 1.5"
)
ALL = tuple(OPTIONS.split())


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, write_rows, problems):
    """The same questions with and without answers."""
    folder = tmp_path_factory.mktemp("inputs")
    bare = [{"id": r["id"], "question": r["question"]} for r in problems]
    known = write_rows(folder / "known.jsonl", *problems)
    return ("--questions", known, "--answers", "answer"), (
        "--questions",
        write_rows(folder / "bare.jsonl", *bare),
    )


@pytest.fixture(scope="module", params=["whole", "lora"])
def done(request, call, tiny, inputs, tmp_path_factory, folder_of):
    """A run with all of them: of all weights, and of an adapter."""
    lora = ("--lora", "4") if request.param == "lora" else ()
    run = folder_of(tmp_path_factory.mktemp(f"further-{request.param}") / "run")
    outcome = call("train", *tiny, *ALL, *lora, *inputs[0], "--out", run.path)
    assert outcome.code == 0, outcome.err
    assert sum("train/grad_norm" in row for row in run.metrics) >= 3, "hardly a gradient: vacuous"
    return run, lora


@pytest.fixture
def at_step_two(done, tmp_path, folder_of):
    """The run as a kill after its first checkpoint leaves it, with later lines not yet forgotten."""
    copy = folder_of(shutil.copytree(done[0].path, tmp_path / "copy"))
    shutil.rmtree(copy.path / "checkpoints" / "step-000004")
    for file in (copy.path / "result.json", *copy.path.glob("evaluations/final-*")):
        file.unlink()
    return copy


def test_a_resumed_run_has_the_same_bits_with_every_source(call, done, at_step_two, same):
    outcome = call("train", "--resume", at_step_two.path)
    assert outcome.code == 0, outcome.err
    assert at_step_two.same_bits(done[0]) == same
    teacher = "checkpoints/step-000004/teacher.safetensors"
    assert (at_step_two.path / teacher).read_bytes() == (done[0].path / teacher).read_bytes()
    assert at_step_two.result["sampled_tokens"] == done[0].result["sampled_tokens"]


def test_no_source_sees_a_true_answer(call, tiny, inputs, done, tmp_path, folder_of):
    run = folder_of(tmp_path / "run")
    assert call("train", *tiny, *ALL, *done[1], *inputs[1], "--out", run.path).code == 0
    assert run.weights == done[0].weights and run.votes == done[0].votes


def test_tokens_of_each_source_are_recorded_and_add_up(done):
    rows = done[0].metrics
    names = ("views", "base", "teacher", "peer")
    for row in rows:
        parts = [row[f"sample/{name}_tokens"] for name in names]
        assert row["sample/further_tokens"] == sum(parts)
        assert all(p > 0 for name, p in zip(names, parts, strict=True) if name in names[2:])
    written = json.loads((done[0].path / "base_votes.json").read_text())
    assert [row["sample/base_tokens"] for row in rows] == [written["tokens"], 0, 0, 0]
    spent = sum(row["sample/tokens"] + row["sample/further_tokens"] for row in rows)
    assert done[0].result["sampled_tokens"] > spent


@pytest.mark.parametrize("damage", ["missing", "damaged"])
def test_the_bases_votes_are_asked_for_once_it_is_gone(call, at_step_two, damage):
    file = at_step_two.path / "base_votes.json"
    if damage == "missing":
        file.unlink()
    else:
        file.write_text('{"tokens": 3, "answers": {}}', "utf-8")
    outcome = call("train", "--resume", at_step_two.path)
    assert outcome.code == 4 and f"base_votes.json is {damage}" in outcome.err
    assert "Traceback" not in outcome.err
