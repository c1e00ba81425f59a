"""Killed, interrupted, resumed: the same bits as a run that was left alone."""

import json
import random
import re
import shutil
import signal
import time

import pytest

KILL = "import os, signal; kill = lambda: os.kill(os.getpid(), signal.SIGKILL)\n"
KILLED_IN_THE_MIDDLE_OF_A_LINE = KILL + (
    "from ttrl.recording.run_directory import RunDirectory as R\n"
    "append, seen = R.append, []\n"
    "def half(self, name, rows):\n"
    "    seen.append(name)\n"
    "    if seen.count('votes.jsonl') == 2:\n"
    "        file = (self.path / name).open('a'); file.write('{\"step\": 1, \"que'); file.flush(); kill()\n"
    "    append(self, name, rows)\n"
    "R.append = half"
)
KILLED_WHILE_SAVING = KILL + (
    "from ttrl import files as f\n"
    "sync, seen = f.sync, []\n"
    "def some(path):\n"
    "    seen.append(path); sync(path)\n"
    "    if len(seen) == 3: kill()\n"
    "f.sync = some"
)

KILLED_IN_THE_FINAL_EVALUATION = KILL + (
    "from pathlib import Path\n"
    "from ttrl.engine.sampler import NativeSampler as S\n"
    "sample, done = S.sample, Path(sys.argv[-1]) / 'evaluations' / 'final-unlabeled.json'\n"
    "S.sample = lambda *a, **o: kill() if done.exists() else sample(*a, **o)"
)


@pytest.fixture(scope="module")
def ten_steps(tiny):
    return (*tiny, "--steps", "10", "--checkpoint-every", "2", "--samples", "2")


@pytest.fixture(scope="module")
def uninterrupted(ttrl, ten_steps, tmp_path_factory, folder_of):
    """Ten steps of the real command that nobody disturbed."""
    run = folder_of(tmp_path_factory.mktemp("uninterrupted") / "run")
    assert ttrl("train", *ten_steps, "--out", run.path).code == 0
    assert sum("train/grad_norm" in row for row in run.metrics) >= 5, "hardly a gradient: vacuous"
    return run


@pytest.fixture(scope="module")
def small(tiny, write_rows, problems, tmp_path_factory):
    """Options of four short steps on a file of questions, which make one set."""
    file = write_rows(tmp_path_factory.mktemp("small") / "questions.jsonl", *problems)
    options = ("--questions", file, "--answers", "answer", "--samples", "1")
    return (*tiny, *options, "--checkpoint-every", "2")


@pytest.fixture(scope="module")
def small_done(call, small, tmp_path_factory, folder_of):
    run = folder_of(tmp_path_factory.mktemp("small-done") / "run")
    assert call("train", *small, "--out", run.path).code == 0
    assert sum("train/grad_norm" in row for row in run.metrics) >= 3, "hardly a gradient: vacuous"
    return run


@pytest.fixture(scope="module")
def half_done(call, small, tmp_path_factory, folder_of):
    """A run that was interrupted after three of its four steps; copies of it are resumed."""
    from ttrl.engine.sampler import NativeSampler

    run = folder_of(tmp_path_factory.mktemp("half-done") / "run")
    original, calls = NativeSampler.sample, []

    def sample(*arguments, **options):
        calls.append(1)
        if len(calls) == 5:  # one evaluation, three steps, then this
            signal.raise_signal(signal.SIGINT)
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(NativeSampler, "sample", sample)
        assert call("train", *small, "--out", run.path).code == 130
    assert run.last_step == 3
    return run


@pytest.fixture
def unfinished(half_done, tmp_path, folder_of):
    """A copy of it for one test."""
    return folder_of(shutil.copytree(half_done.path, tmp_path / "unfinished"))


def test_killed_at_five_moments_and_resumed_each_time_gives_the_bits_of_an_uninterrupted_run(
    start, ten_steps, tmp_path, uninterrupted, folder_of, same
):
    run = folder_of(tmp_path / "run")
    resume = ("train", "--resume", run.path)

    # 1. during the base evaluation, before any checkpoint
    first = start("train", *ten_steps, "--out", run.path)
    first.until((run.path / "evaluations" / "base-unlabeled.json").exists)
    assert first.stop(signal.SIGKILL).code == -signal.SIGKILL
    assert not (run.path / "result.json").exists()

    # 2. in the middle of a line of votes.jsonl, before any checkpoint
    second = start(*resume, patch=KILLED_IN_THE_MIDDLE_OF_A_LINE).end()
    assert second.code == -signal.SIGKILL, second.err
    assert run.lines == 2 and not run.votes.endswith("\n")
    assert not list(run.path.glob("checkpoints/*"))

    # 3. in the middle of saving the first checkpoint
    third = start(*resume, patch=KILLED_WHILE_SAVING).end()
    assert third.code == -signal.SIGKILL, third.err
    (unfinished,) = run.path.glob("checkpoints/*")
    assert unfinished.match(".step-000002.*.tmp")

    # 4. at a random moment of the steps
    fourth = start(*resume)
    fourth.until(lambda: run.lines >= 3)
    time.sleep(random.Random(20).uniform(0, 0.4))
    assert fourth.stop(signal.SIGKILL).code == -signal.SIGKILL

    # 5. during the final evaluation
    fifth = start(*resume, patch=KILLED_IN_THE_FINAL_EVALUATION).end()
    assert fifth.code == -signal.SIGKILL, fifth.err
    assert (run.path / "evaluations" / "final-unlabeled.json").exists()
    assert not (run.path / "result.json").exists()

    last = start(*resume).end()
    assert last.code == 0, last.err
    assert run.same_bits(uninterrupted) == same
    assert run.result["sets"] == uninterrupted.result["sets"]
    assert not list(run.path.rglob("*.tmp"))


def test_ctrl_c_saves_and_names_the_command_that_goes_on_to_the_same_bits(
    start, call, ten_steps, tmp_path, uninterrupted, folder_of, same
):
    run = folder_of(tmp_path / "run")
    options = ("--checkpoint-every", "100", "--json")
    process = start("train", *ten_steps, *options, "--out", run.path)
    process.until(lambda: run.lines >= 2)
    outcome = process.stop(signal.SIGINT)
    assert outcome.code == 130
    assert "Traceback" not in outcome.err and outcome.out == ""
    assert run.last_step == run.lines < 10
    assert f"interrupted after step {run.last_step}" in outcome.err
    command = re.search(r"ttrl (train --resume .*)", outcome.err)
    assert command is not None
    assert call(*command[1].split()).code == 0
    assert run.same_bits(uninterrupted) == same


MOMENTS = {
    "base evaluation": ("ttrl.engine.sampler:NativeSampler", "sample", 1),
    "sampling": ("ttrl.engine.sampler:NativeSampler", "sample", 3),
    "update": ("ttrl.engine.policy:Policy", "update", 2),
    "after the update": ("ttrl.engine.sampler:NativeSampler", "load_weights", 2),
    "vote records": ("ttrl.training.loop:", "step_record", 2),
    "writing a line": ("ttrl.recording.run_directory:RunDirectory", "append", 2),
    "saving": ("ttrl.engine.checkpoint:", "_hashes", 1),
    "final evaluation": ("ttrl.evaluation.metrics:", "evaluate_groups", 2),
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_interrupt_at_any_moment_is_followed_by_the_same_bits(
    call, small, small_done, tmp_path, folder_of, signal_at, monkeypatch, same, moment
):
    import importlib

    place, name, nth = MOMENTS[moment]
    module, _, owner = place.partition(":")
    holder = importlib.import_module(module)
    signal_at(getattr(holder, owner) if owner else holder, name, nth)
    run = folder_of(tmp_path / "run")
    outcome = call("train", *small, "--out", run.path)
    assert outcome.code == 130
    assert f"ttrl train --resume {run.path}" in outcome.err
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(small_done) == same


def test_a_termination_signal_saves_like_ctrl_c(
    call, small, small_done, tmp_path, folder_of, signal_at, monkeypatch, same
):
    from ttrl.engine.sampler import NativeSampler

    run = folder_of(tmp_path / "run")
    signal_at(NativeSampler, "sample", 3, signal.SIGTERM)
    assert call("train", *small, "--out", run.path).code == 130
    assert run.last_step == 1
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(small_done) == same


def test_a_second_ctrl_c_while_the_first_one_saves_loses_no_step_that_was_saved_before(
    call, small, small_done, tmp_path, folder_of, signal_at, monkeypatch, same
):
    from ttrl.engine import checkpoint
    from ttrl.engine.sampler import NativeSampler

    run = folder_of(tmp_path / "run")
    signal_at(NativeSampler, "sample", 5)  # after step 3; step 2 is saved
    signal_at(checkpoint, "_hashes", 2)
    outcome = call("train", *small, "--out", run.path)
    assert outcome.code == 130 and "Traceback" not in outcome.err
    assert run.last_step in (2, 3)
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(small_done) == same


@pytest.mark.parametrize(
    "options",
    [
        ("--lora", "2", "--dtype", "bfloat16", "--kl-coefficient", "0.1"),
        ("--dtype", "bfloat16", "--kl-coefficient", "0.1", "--schedule", "cosine"),
    ],
    ids=["LoRA", "bfloat16 with masters"],
)
def test_other_kinds_of_training_resume_to_the_same_bits_too(
    call, small, tmp_path, folder_of, signal_at, monkeypatch, same, options
):
    from ttrl.engine.sampler import NativeSampler

    whole, run = folder_of(tmp_path / "whole"), folder_of(tmp_path / "run")
    assert call("train", *small, *options, "--out", whole.path).code == 0
    signal_at(NativeSampler, "sample", 4)
    assert call("train", *small, *options, "--out", run.path).code == 130
    assert run.last_step == 2
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(whole) == same


def test_adaptive_votes_interrupted_between_two_rounds_resume_to_the_same_bits(
    call, small, tmp_path, folder_of, signal_at, monkeypatch, same
):
    from ttrl.engine.sampler import NativeSampler

    options = ("--votes", "adaptive", "--adaptive-first", "4", "--adaptive-error", "0.3")
    whole, run = folder_of(tmp_path / "whole"), folder_of(tmp_path / "run")
    assert call("train", *small, *options, "--out", whole.path).code == 0
    stopped = [row["consensus/stopped_early"] for row in whole.metrics]
    assert min(stopped[:2]) < 1 and max(stopped) > 0, "one round, or no stop: vacuous"
    signal_at(NativeSampler, "sample", 5)  # the base evaluation, two rounds, one, then this
    assert call("train", *small, *options, "--out", run.path).code == 130
    assert run.last_step == 1
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(whole) == same


def test_adaptive_votes_that_all_come_in_the_first_round_are_fixed_ones(
    call, small, small_done, tmp_path, folder_of
):
    run = folder_of(tmp_path / "run")
    options = ("--votes", "adaptive", "--adaptive-first", "8")
    assert call("train", *small, *options, "--out", run.path).code == 0
    assert run.weights == small_done.weights and run.votes == small_done.votes
    assert run.result["sets"] == small_done.result["sets"]


def test_resuming_a_finished_run_changes_no_record_of_it(
    call, small_done, tmp_path, folder_of, same
):
    run = folder_of(shutil.copytree(small_done.path, tmp_path / "run"))
    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(small_done) == same
    assert run.result["sets"] == small_done.result["sets"]


@pytest.mark.parametrize("samplings", [2, 6], ids=["after base evaluation", "in the final one"])
def test_the_cost_of_an_interrupted_run_is_that_of_all_its_sittings(
    call, small, small_done, tmp_path, folder_of, signal_at, monkeypatch, samplings
):
    from ttrl.engine.sampler import NativeSampler

    run = folder_of(tmp_path / "run")
    signal_at(NativeSampler, "sample", samplings)
    assert call("train", *small, "--out", run.path).code == 130
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    # Work that was lost may count twice, but none is forgotten.
    assert run.result["sampled_tokens"] >= small_done.result["sampled_tokens"]


def test_resuming_a_finished_run_keeps_its_cost(call, small_done, tmp_path, folder_of):
    run = folder_of(shutil.copytree(small_done.path, tmp_path / "run"))
    assert call("train", "--resume", run.path).code == 0
    assert run.result["sampled_tokens"] == small_done.result["sampled_tokens"]


def test_ids_with_unicode_line_ends_keep_their_vote_records_on_resume(
    call, tiny, problems, tmp_path, write_rows, folder_of
):
    """U+2028, U+2029 and U+0085 end a line for str.splitlines(), but not in a .jsonl file."""
    ends = ("\u2028", "\u2029", "\x85", "\x0b")
    rows = [{**row, "id": f"{end}{row['id']}"} for row, end in zip(problems, ends, strict=False)]
    file, run = write_rows(tmp_path / "q.jsonl", *rows), folder_of(tmp_path / "run")
    options = ("--questions", file, "--steps", "1", "--samples", "1")
    assert call("train", *tiny, *options, "--out", run.path).code == 0
    votes = run.votes
    assert call("train", "--resume", run.path).code == 0
    assert run.votes == votes


@pytest.mark.parametrize(
    "options",
    [("--model", "other"), ("--seed", "3"), ("--steps", "5"), ("--questions", "word-problems")],
    ids=lambda options: options[0],
)
def test_an_option_that_contradicts_the_run_is_refused_and_changes_nothing(
    call, refused, unfinished, snapshot, options
):
    before = snapshot(unfinished.path)
    outcome = call("train", "--resume", unfinished.path, *options)
    message = refused(outcome, 4, str(unfinished.path), options[1])
    assert options[0].removeprefix("--") in message
    assert snapshot(unfinished.path) == before


def test_a_setting_of_the_environment_that_contradicts_the_run_is_refused(
    call, refused, unfinished, snapshot
):
    before = snapshot(unfinished.path)
    outcome = call("train", "--resume", unfinished.path, env={"TTRL_SEED": "3"})
    refused(outcome, 4, "seed", "environment")
    assert snapshot(unfinished.path) == before


def test_options_that_repeat_those_of_the_run_are_taken(
    call, small, small_done, unfinished, folder_of, same
):
    assert call("train", *small, "--resume", unfinished.path).code == 0
    assert unfinished.same_bits(small_done) == same


@pytest.fixture
def own_inputs(call, tiny, write_rows, problems, model_copy, tmp_path, folder_of):
    """A short run on a model folder and a question file that the test may change."""
    file, run = write_rows(tmp_path / "q.jsonl", *problems), folder_of(tmp_path / "run")
    inputs = ("--model", model_copy, "--questions", file, "--answers", "answer")
    options = (*inputs, "--steps", "1", "--samples", "1", "--reward", "answer-key")
    assert call("train", *tiny, *options, "--out", run.path).code == 0
    return run, file, model_copy


def test_a_changed_question_is_refused_and_changes_nothing(
    call, refused, own_inputs, snapshot, write_rows, problems
):
    run, file, _ = own_inputs
    write_rows(file, {**problems[0], "question": "What is 2 + 2?"}, *problems[1:])
    before = snapshot(run.path)
    refused(call("train", "--resume", run.path), 4, str(run.path), "questions have changed")
    assert snapshot(run.path) == before


def test_a_changed_model_is_refused_and_changes_nothing(call, refused, own_inputs, snapshot):
    run, _, model = own_inputs
    with (model / "model.safetensors").open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x01")
    before = snapshot(run.path)
    refused(call("train", "--resume", run.path), 4, str(run.path), "model's files have changed")
    assert snapshot(run.path) == before


def test_a_changed_chat_or_prompt_template_is_refused(call, refused, own_inputs, snapshot):
    run, _, model = own_inputs
    (model / "ttrl.json").write_text('{"prompt_template": "Q: {question}"}')
    before = snapshot(run.path)
    refused(call("train", "--resume", run.path), 4, str(run.path), "have changed")
    assert snapshot(run.path) == before


def test_changed_answers_are_refused_where_they_are_the_reward(
    call, refused, own_inputs, snapshot, write_rows, problems
):
    """Else the run would end on other bits than it would have without the pause."""
    run, file, _ = own_inputs
    write_rows(file, *({**row, "answer": "1"} for row in problems))
    before = snapshot(run.path)
    refused(call("train", "--resume", run.path), 4, str(run.path), "answers")
    assert snapshot(run.path) == before


def flip(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "name", ["model/model.safetensors", "optimizer.safetensors", "state.json", "manifest.json"]
)
def test_one_flipped_bit_of_a_checkpoint_is_refused_by_the_name_of_the_file(
    call, refused, unfinished, snapshot, name
):
    flip(unfinished.last_checkpoint / name)
    before = snapshot(unfinished.path)
    outcome = call("train", "--resume", unfinished.path)
    message = refused(outcome, 4, str(unfinished.last_checkpoint), "damaged")
    assert name in message or name == "manifest.json"
    assert "step-000002" in message  # what one can go on from
    assert snapshot(unfinished.path) == before


def test_a_missing_file_of_a_checkpoint_is_refused_by_name(call, refused, unfinished):
    (unfinished.last_checkpoint / "optimizer.safetensors").unlink()
    refused(call("train", "--resume", unfinished.path), 4, "step-000003", "optimizer.safetensors")


def test_without_its_damaged_checkpoint_a_run_goes_on_from_the_one_before(
    call, unfinished, small_done, same
):
    shutil.rmtree(unfinished.last_checkpoint)
    assert unfinished.last_step == 2
    assert call("train", "--resume", unfinished.path).code == 0
    assert unfinished.same_bits(small_done) == same


def test_what_a_crash_left_of_a_checkpoint_is_ignored(call, unfinished, small_done, same):
    left = unfinished.path / "checkpoints" / ".step-000004.tmp"
    left.mkdir()
    (left / "state.json").write_text("{")
    assert call("train", "--resume", unfinished.path).code == 0
    assert unfinished.same_bits(small_done) == same


def test_lines_cut_short_by_a_crash_are_dropped(call, unfinished, small_done, same):
    for name in ("metrics.jsonl", "votes.jsonl"):
        with (unfinished.path / name).open("a") as file:
            file.write('{"step": 2, "quest')
    assert call("train", "--resume", unfinished.path).code == 0
    assert unfinished.same_bits(small_done) == same


@pytest.mark.parametrize(
    "content", [b"steps: [1\n", b"\xff\xfe", b"", b"steps: many\n", b"stepz: 1\n"]
)
def test_a_damaged_config_of_a_run_is_refused_by_name(call, refused, unfinished, snapshot, content):
    (unfinished.path / "config.yaml").write_bytes(content)
    before = snapshot(unfinished.path)
    message = refused(call("train", "--resume", unfinished.path), 4, "config.yaml")
    assert "command line" not in message  # that is not where the value stands
    assert snapshot(unfinished.path) == before


def test_a_run_of_an_older_version_is_told_by_its_version(call, refused, unfinished):
    file = unfinished.path / "manifest.json"
    manifest = json.loads(file.read_text("utf-8"))
    manifest["versions"]["ttrl"] = "0.3.0"
    file.write_text(json.dumps(manifest), "utf-8")
    with (unfinished.path / "config.yaml").open("a") as config:
        config.write("clip_ratio: 0.2\n")
    outcome = call("train", "--resume", unfinished.path)
    refused(outcome, 4, "written by ttrl 0.3.0", "'clip_ratio'", "Install ttrl==0.3.0")
    (unfinished.path / "config.yaml").write_text("")  # that is damage, and no matter of versions
    refused(call("train", "--resume", unfinished.path), 4, "damaged")
    manifest["versions"] = ["0.3.0"]
    file.write_text(json.dumps(manifest), "utf-8")
    refused(call("train", "--resume", unfinished.path), 4, "damaged")


@pytest.mark.parametrize("content", [b'{"inputs": ', b"[1]", b'{"inputs": [1]}', b"\xff"])
def test_a_damaged_manifest_of_a_run_is_refused_by_name(call, refused, unfinished, content):
    (unfinished.path / "manifest.json").write_bytes(content)
    refused(call("train", "--resume", unfinished.path), 4, "manifest.json")


def test_the_trained_weights_never_pass_for_the_base(call, unfinished, small_done):
    """The base evaluation is gone, and the weights at hand are trained ones."""
    base = unfinished.path / "evaluations" / "base-unlabeled.json"
    then = json.loads(base.read_text())["metrics"]
    base.unlink()
    outcome = call("train", "--resume", unfinished.path)
    assert "Traceback" not in outcome.err
    if outcome.code == 0:  # then it was made again from the base
        assert json.loads(base.read_text())["metrics"] == then
    else:
        assert outcome.code == 4 and "base-unlabeled.json" in outcome.err


@pytest.mark.parametrize("name", ["nothing-there", "", "q.jsonl"])
def test_what_is_no_run_directory_is_refused(
    call, refused, tmp_path, monkeypatch, write_rows, problems, name
):
    monkeypatch.chdir(tmp_path)
    write_rows(tmp_path / "q.jsonl", *problems)
    refused(call("train", "--resume", name), 4, "not a run directory")


def test_the_folder_of_an_evaluation_is_refused_for_what_it_is(
    call, refused, tmp_path, write_rows, problems
):
    file = write_rows(tmp_path / "q.jsonl", *problems)
    options = ("--questions", file, "--samples", "1", "--out", tmp_path / "out")
    assert call("eval", *options).code == 0
    message = refused(call("train", "--resume", tmp_path / "out"), 4, str(tmp_path / "out"))
    assert "have changed" not in message  # nothing has


def test_resume_and_out_contradict_each_other(call, refused, unfinished, tmp_path, snapshot):
    before = snapshot(tmp_path)
    outcome = call("train", "--resume", unfinished.path, "--out", tmp_path / "other")
    refused(outcome, 2, "--out", "--resume")
    assert snapshot(tmp_path) == before


def test_a_dry_run_of_a_resume_changes_nothing(call, unfinished, snapshot):
    before = snapshot(unfinished.path)
    assert call("train", "--resume", unfinished.path, "--dry-run").code == 0
    assert snapshot(unfinished.path) == before


def test_the_folder_of_an_evaluation_is_no_run_to_go_on_with(call, refused, tmp_path):
    options = ("--limit", "2", "--samples", "1", "--eval-limit", "1", "--out", tmp_path / "out")
    assert call("eval", *options).code == 0
    outcome = call("train", "--resume", tmp_path / "out")
    refused(outcome, 4, str(tmp_path / "out"), "not a training run")
    manifest = tmp_path / "out" / "manifest.json"
    manifest.write_text('{"format": 1}', "utf-8")  # as an older version wrote it
    refused(call("train", "--resume", tmp_path / "out"), 4, "not a training run")


def test_a_run_of_a_version_that_did_not_name_its_command_goes_on(call, unfinished):
    file = unfinished.path / "manifest.json"
    manifest = json.loads(file.read_text())
    assert manifest.pop("command") == "train"
    file.write_text(json.dumps(manifest), "utf-8")
    assert call("train", "--resume", unfinished.path).code == 0
