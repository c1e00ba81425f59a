"""`ttrl train --engine trl` where no TRL is: what is refused, what is written, and a run with a stand-in."""

import json
import os
import shutil
import signal
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest

from ttrl.config import RunConfig
from ttrl.errors import NumericsError
from ttrl.overlays.pins import Pin
from ttrl.overlays.trl.rollout import RolloutStep
from ttrl.overlays.voting import GroupVoter, completion
from ttrl.runs.trl import TrlRecords, last_labels
from ttrl.types import Question

TRL = ("train", "--engine", "trl")
NO_MODEL = ("--model", "./no-such-model")
"""So that a refusal which came after the model was looked for would be another one."""


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """An empty folder that commands run in; refusals leave nothing in it."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def tested_version(monkeypatch):
    """As if the right TRL were installed."""
    monkeypatch.setattr(Pin, "check", lambda self: "1.16.0")


@pytest.fixture
def refused_early(call, refused, here):
    """`refused_early(*arguments, told=[...], code=2, **environment)`: before a model is looked for."""

    def check(*arguments, told, code=2, **environment):
        outcome = call(*TRL, *NO_MODEL, *arguments, env=environment)
        message = refused(outcome, code, *told)
        assert not (here / "runs").exists() and not (here / "run").exists()
        return message

    return check


# Refusals ------------------------------------------------------------------------------------


def test_without_trl_the_command_that_installs_it_is_told(refused_early, monkeypatch) -> None:
    found = metadata.version

    def without_trl(package: str) -> str:
        if package == "trl":
            raise metadata.PackageNotFoundError(package)
        return found(package)

    monkeypatch.setattr(metadata, "version", without_trl)
    refused_early(told=["trl is not installed, wanted trl>=1.16,<1.17", "pip install 'ttrl[trl]'"])


def test_the_native_engine_is_refused_in_several_processes(call, refused) -> None:
    outcome = call("train", *NO_MODEL, env={"WORLD_SIZE": "2", "RANK": "1"})
    refused(outcome, 2, "engine=native works in one process, and 2 were started", "engine: trl")


def test_one_process_of_a_launcher_is_like_none(call, refused) -> None:
    outcome = call("train", *NO_MODEL, env={"WORLD_SIZE": "1", "RANK": "0"})
    refused(outcome, 4, "no-such-model")  # it came as far as the model


def test_several_processes_have_to_agree_on_the_folder(refused_early) -> None:
    refused_early(told=["2 processes", "--out"], WORLD_SIZE="2", RANK="0")


@pytest.mark.parametrize(
    ("environment", "told"),
    [
        ({"WORLD_SIZE": "two"}, "WORLD_SIZE='two'"),
        ({"WORLD_SIZE": "-2"}, "WORLD_SIZE='-2'"),
        ({"WORLD_SIZE": "2", "RANK": "1.5"}, "RANK='1.5'"),
        ({"WORLD_SIZE": "2", "RANK": "2"}, "RANK=2 with WORLD_SIZE=2"),
        ({"WORLD_SIZE": "0"}, "WORLD_SIZE=0"),
    ],
)
def test_a_rank_that_is_none_is_told(refused_early, environment, told) -> None:
    refused_early("--out", "run", told=[told, "torchrun"], **environment)


@pytest.mark.parametrize(("key", "value"), [("vllm", "colocate"), ("trl", "fp16=true")])
def test_options_of_the_engine_are_refused_natively(call, refused, key, value) -> None:
    outcome = call("train", *NO_MODEL, f"--{key}", value)
    refused(outcome, 2, f"{key}=", "engine=native, which would not read it", "engine: trl")


@pytest.mark.parametrize("mode", ["colocate", "server"])
@pytest.mark.usefixtures("tested_version")
def test_vllm_without_a_gpu_is_refused_before_a_model_is_looked_for(
    refused_early, monkeypatch, mode
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    refused_early("--vllm", mode, told=[f"vllm={mode}: no GPU is visible", "Leave vllm out"])


@pytest.mark.usefixtures("tested_version")
def test_vllm_that_is_not_installed_is_told_with_the_command_that_installs_it(
    refused_early, monkeypatch
) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("ttrl.runs.trl_setup.importlib.util.find_spec", lambda name: None)
    refused_early("--vllm", "colocate", told=["vllm is not installed", "pip install 'trl[vllm]'"])


@pytest.mark.usefixtures("tested_version")
def test_one_process_with_several_gpus_is_refused_with_the_command_that_takes_them(
    refused_early, monkeypatch, call, refused
) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 4)
    refused_early(told=["4 GPUs are visible", "--nproc_per_node 4", "CUDA_VISIBLE_DEVICES=0"])
    refused(call(*TRL, *NO_MODEL, "--device", "cpu"), 4, "no-such-model")  # not refused for that


@pytest.mark.usefixtures("tested_version")
def test_a_gguf_file_has_no_reference_of_its_own_under_trl(call, refused, here) -> None:
    (here / "m.gguf").write_bytes(b"GGUF")
    options = ("--model", "m.gguf", "--kl-coefficient", "0.01")
    refused(call(*TRL, *options), 2, "kl_coefficient=0.01 with the GGUF file", "--lora 16")


@pytest.mark.usefixtures("tested_version")
def test_every_setting_that_trl_has_no_words_for_is_told_at_once(refused_early) -> None:
    refused_early(
        "--votes", "adaptive", "--algorithm", "rloo", "--steps", "0",
        told=["algorithm=rloo", "votes=adaptive", "steps=0", "engine: native"],
    )  # fmt: skip


@pytest.mark.usefixtures("tested_version")
def test_without_any_of_this_the_model_is_looked_for(call, refused) -> None:
    refused(call(*TRL, *NO_MODEL), 4, "no-such-model")


DIVIDING = [
    # processes, options, what is told
    (
        2,
        "--questions-per-step 3",
        ["questions_per_step=3 on 2 processes", "to 2 or 4", "1 process."],
    ),
    (4, "--questions-per-step 16 --limit 10", ["questions_per_step=10 on 4", "to 8, or start 2 "]),
    (8, "--limit 5", ["5 questions for 8 processes", "Start 5 processes."]),
    (
        2,
        "--questions-per-step 4 --trained-per-question 3 --updates-per-step 4",
        ["updates_per_step=4", "6 completions in a step", "Set updates_per_step to 3"],
    ),
]


@pytest.mark.parametrize(("processes", "options", "told"), DIVIDING)
@pytest.mark.usefixtures("tested_version")
def test_groups_that_would_be_split_are_refused_with_the_numbers_that_fit(
    refused_early, processes, options, told
) -> None:
    refused_early("--out", "run", *options.split(), told=told, WORLD_SIZE=str(processes), RANK="0")


@pytest.mark.usefixtures("tested_version")
def test_questions_that_only_their_task_tells_apart_are_refused_before_the_run_starts(
    call, refused, here, write_rows
) -> None:
    rows = [
        {"id": f"q{n}", "question": "Is it 1?", "kind": kind}
        for n, kind in enumerate(("math", "label"))
    ]
    write_rows(here / "q.jsonl", *rows)
    outcome = call(
        *TRL, "--questions", "q.jsonl", "--task-column", "kind", "--prompt-template", "{question}",
        "--out", "run",
    )  # fmt: skip
    refused(outcome, 3, "'q0' and 'q1' have the same prompt")
    assert not (here / "run").exists()


@pytest.mark.usefixtures("tested_version")
def test_a_dry_run_tells_trls_arguments_and_writes_nothing(call, tiny, here) -> None:
    outcome = call(*TRL, *tiny, "--updates-per-step", "2", "--dry-run", "--json")
    assert outcome.code == 0, outcome.err
    told = outcome.json["trl"]
    # 2 questions x 6 completions in 2 updates: 6 at once, 2 times
    assert (told["per_device_train_batch_size"], told["steps_per_generation"]) == (6, 2)
    assert told["max_steps"] == 8 and told["num_generations"] == 6
    assert outcome.json["config"]["engine"] == "trl"
    for line in (
        "engine      trl 1.16.0, 1 process, sampling by transformers",
        "a step: 2 questions x 8 votes, of which 6 are trained on; on each process 12 completions",
        "not as natively: the updates of a step take random completions of it",
    ):
        assert line in outcome.err
    assert list(here.iterdir()) == []


# A run with a stand-in for TRL ---------------------------------------------------------------


class StandIn:
    """Trains nothing: draws from a script, votes through the hooks, logs, and saves the given weights."""

    def __init__(self, weights: Path, answers: tuple[int, ...] = (1, 1, 2, 1, 3, 2, 1, 4)) -> None:
        self.weights, self.answers = weights, answers
        self.before_step = lambda step: None
        self.steps: list[int] = []
        self.resumed: list[Path | None] = []

    def __call__(
        self, what, *, arguments, prompts, hooks, on_log, processes, resume_from, out
    ) -> int:
        self.resumed.append(resume_from)
        updates, k = arguments["logging_steps"], arguments["num_generations"]
        rows = arguments["per_device_train_batch_size"] * arguments["steps_per_generation"]
        asked = rows // k
        first = int(resume_from.name.removeprefix("checkpoint-")) // updates if resume_from else 0
        step = first - 1
        for step in range(first, arguments["max_steps"] // updates):
            self.before_step(step)
            self.steps.append(step)
            trainer = self._trainer(arguments, step * updates)
            own = prompts[step * asked : (step + 1) * asked]
            found = hooks.rollout([prompt for prompt in own for _ in range(k)], trainer)
            assert len(hooks.reward(ttrl_reward=found["ttrl_reward"])) == rows
            learned = {"train/loss": 0.5, "train/grad_norm": 1.0, "train/entropy": 0.25}
            stop = on_log((step + 1) * updates, learned)
            if stop or (step + 1) * updates % arguments["save_steps"] == 0:
                kept = Path(arguments["output_dir"]) / f"checkpoint-{(step + 1) * updates}"
                kept.mkdir(parents=True)
                (kept / "trainer_state.json").write_text('{"global_step": 1}')
            if stop:
                break
        shutil.copytree(self.weights, out, dirs_exist_ok=True)
        return (step + 1) * updates

    def _trainer(self, arguments, global_step):
        texts = [rf"\boxed{{{answer}}}" for answer in self.answers]
        return SimpleNamespace(
            model=SimpleNamespace(training=True),
            num_generations=arguments["num_generations"],
            num_iterations=arguments["num_iterations"],
            use_vllm=False,
            state=SimpleNamespace(global_step=global_step),
            args=SimpleNamespace(**arguments),
            accelerator=SimpleNamespace(num_processes=1, process_index=0, device="cpu"),
            eos_token_ids=[0],
            _tokenizer=SimpleNamespace(
                pad_token_id=0,
                batch_decode=lambda rows, skip_special_tokens: [texts[row[0] - 1] for row in rows],
            ),
            _tokenize_prompts=lambda prompts: ([[5, 6]] * len(prompts), None, {}),
            _generate_single_turn=lambda rows, images, fields, m: (
                [[place % m + 1, 0] for place in range(len(rows))],
                None,
            ),
        )


@pytest.fixture
def stand_in(monkeypatch, embedded_folder, tested_version) -> StandIn:
    found = StandIn(embedded_folder)
    monkeypatch.setattr("ttrl.overlays.trl.training.train_with_trl", found)
    return found


def test_a_run_leaves_what_a_native_one_leaves(call, tiny, stand_in, folder_of, here) -> None:
    outcome = call(*TRL, *tiny, "--updates-per-step", "2", "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    run = folder_of(here / "run")
    assert outcome.json == run.result
    assert (run.result["engine"], run.result["steps"]) == ("trl", 4)
    assert run.result["stopped"] == "all steps done"
    assert [row["step"] for row in run.metrics] == [1, 2, 3, 4]
    for row in run.metrics:
        assert (row["train/loss"], row["train/entropy"], row["train/updates"]) == (0.5, 0.25, 2)
        assert row["consensus/majority_ratio"] == 4 / 8
        assert 0 <= row["labels/label_accuracy"] <= 1
        assert "sample/entropy" not in row  # TRL records none, and 0 would be a claim
    votes = [json.loads(line) for line in run.votes.splitlines()]
    assert len(votes) == 8 and votes[0]["counts"] == [4, 2, 1, 1]
    assert votes[-1]["flipped"] is False  # the second visit of its question
    assert run.result["sampled_tokens"] > sum(row["sample/tokens"] for row in run.metrics) == 128
    state = json.loads((run.last_checkpoint / "state.json").read_text("utf-8"))
    assert run.last_step == 4 and state["foreign"] is True
    assert "Entropy" not in (here / "run" / "figure.svg").read_text("utf-8")
    assert run.report.startswith("<!doctype html>")


def test_an_interrupted_run_ends_with_130_and_goes_on_where_it_stood(
    call, tiny, stand_in, folder_of, here
) -> None:
    def interrupt(step: int) -> None:
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    stand_in.before_step = interrupt
    outcome = call(*TRL, *tiny, "--out", "run")
    assert outcome.code == 130, outcome.err
    assert "interrupted after step 2; nothing is lost" in outcome.err
    run = folder_of(here / "run")
    assert stand_in.steps == [0, 1] and len(run.metrics) == 2
    assert not (here / "run" / "result.json").exists()
    stand_in.before_step = lambda step: None
    outcome = call("train", "--resume", "run")
    assert outcome.code == 0, outcome.err
    assert stand_in.resumed == [None, Path("run/trl/checkpoint-2")]
    assert stand_in.steps == [0, 1, 2, 3]
    assert [row["step"] for row in run.metrics] == [1, 2, 3, 4]
    votes = [json.loads(line) for line in run.votes.splitlines()]
    assert [vote["flipped"] for vote in votes[4:]] == [False] * 4  # labels of before are known
    again = call("train", "--resume", "run")
    assert again.code == 0 and stand_in.steps == [0, 1, 2, 3]  # what is over is not made again


def test_a_run_in_which_all_agree_ends_early_and_says_why(call, tiny, stand_in, here) -> None:
    stand_in.answers = (7,) * 8
    outcome = call(*TRL, *tiny, "--stop-after-silent-steps", "3", "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert outcome.json["steps"] == 3
    assert outcome.json["stopped"].startswith("3 steps in a row without a gradient")


def test_a_run_that_is_cut_while_all_agree_ends_at_the_same_step(
    call, tiny, stand_in, folder_of, here
) -> None:
    stand_in.answers = (7,) * 8

    def interrupt(step: int) -> None:
        if step == 1:
            os.kill(os.getpid(), signal.SIGTERM)

    stand_in.before_step = interrupt
    assert call(*TRL, *tiny, "--stop-after-silent-steps", "3", "--out", "run").code == 130
    stand_in.before_step = lambda step: None
    outcome = call("train", "--resume", "run", "--json")
    assert outcome.code == 0, outcome.err
    assert stand_in.steps == [0, 1, 2] and outcome.json["steps"] == 3
    assert outcome.json["stopped"].startswith("3 steps in a row without a gradient")

    # killed once more, after TRL's last checkpoint and before the weights were kept
    shutil.rmtree(folder_of(here / "run").last_checkpoint)
    (here / "run" / "result.json").unlink()
    again = call("train", "--resume", "run", "--json")
    assert again.code == 0, again.err
    assert stand_in.steps == [0, 1, 2]  # nothing is trained any more
    same = ("steps", "stopped", "sampled_tokens")
    assert [again.json[key] for key in same] == [outcome.json[key] for key in same]


def test_a_finished_run_without_trls_checkpoints_keeps_its_records(
    call, tiny, stand_in, folder_of, here
) -> None:
    outcome = call(*TRL, *tiny, "--out", "run", "--json")
    assert outcome.code == 0, outcome.err
    run = folder_of(here / "run")
    before = run.metrics, run.votes
    shutil.rmtree(here / "run" / "trl")  # which are large
    again = call("train", "--resume", "run", "--json")
    assert again.code == 0, again.err
    assert (run.metrics, run.votes) == before
    assert again.json["sampled_tokens"] == outcome.json["sampled_tokens"]


def test_a_dry_run_is_told_by_the_first_process_alone(call, tiny, stand_in, here) -> None:
    environment = {"WORLD_SIZE": "2", "RANK": "1"}
    outcome = call(*TRL, *tiny, "--out", "run", "--dry-run", "--json", env=environment)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")


def test_a_loss_that_is_not_finite_ends_with_6_and_tells_the_checkpoint(
    call, tiny, stand_in, here
) -> None:
    def fail(step: int) -> None:
        raise NumericsError("train/loss is nan.")

    stand_in.before_step = fail
    outcome = call(*TRL, *tiny, "--out", "run")
    assert outcome.code == 6 and "Traceback" not in outcome.err
    assert "train/loss is nan" in outcome.err and "checkpoint is in run/trl" in outcome.err


def test_a_process_that_is_not_the_first_writes_and_says_nothing(
    call, tiny, stand_in, here
) -> None:
    (here / "run").mkdir()
    (here / "run" / "config.yaml").write_text("by the first process\n")  # which may be faster
    environment = {"WORLD_SIZE": "2", "RANK": "1"}
    outcome = call(*TRL, *tiny, "--out", "run", "--json", env=environment)
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "")
    assert stand_in.steps == [0, 1, 2, 3]
    written = {p.relative_to(here).as_posix() for p in here.rglob("*") if p.is_file()}
    assert {path for path in written if not path.startswith("run/trl/")} == {"run/config.yaml"}


# Records -------------------------------------------------------------------------------------


class Frame:
    """What a run writes down, remembered."""

    def __init__(self) -> None:
        self.rows: list[tuple[int, dict, list]] = []
        self.progress: dict = {}
        self.spent = SimpleNamespace(sampled_tokens=5)
        self.directory = SimpleNamespace(write_json=self.progress.__setitem__)
        self.clocked = 0

    def observers(self):
        return [SimpleNamespace(on_step=lambda result: {"labels/seen": float(len(result.scored))})]

    def record(self, step, metrics, votes, skipped):
        assert skipped is None
        self.rows.append((step, dict(metrics), votes))

    def clock(self):
        self.clocked += 1


def rollout(step: int, *texts: str, stop: bool = False) -> RolloutStep:
    config = RunConfig(votes_per_question=len(texts), trained_per_question=2)
    question = Question(id="q", prompt="?")
    completions = [completion(question, text) for text in texts]
    group = GroupVoter(config).vote(question, completions, step=step)
    votes = [{"step": step + 1, "question": "q", "label": group.consensus.pseudo_label}]
    metrics = {"consensus/majority_ratio": group.consensus.majority_ratio}
    return RolloutStep(step=step, scored=(group,), metrics=metrics, votes=votes, stop=stop)


DIFFER = (r"\boxed{1}", r"\boxed{2}", r"\boxed{1}")
AGREE = (r"\boxed{1}", r"\boxed{1}", r"\boxed{2}")
"""All three differ, and the two that are trained on do not."""


def test_a_line_joins_the_votes_of_a_step_and_what_was_learned_from_them() -> None:
    frame = Frame()
    records = TrlRecords(RunConfig(updates_per_step=3, passes_per_step=2), frame)
    records.on_step(rollout(6, *DIFFER))
    assert records.on_log(42, {"train/loss": 0.5}) is False
    ((step, metrics, votes),) = frame.rows
    assert step == 7 and metrics.pop("train/seconds") >= 0
    assert metrics == {
        "consensus/majority_ratio": 2 / 3,
        "train/loss": 0.5,
        "train/updates": 6.0,
        "labels/seen": 1.0,
        "guard/pay_for_label": 1.0,
    }
    assert votes == [{"step": 7, "question": "q", "label": "1"}]
    assert frame.progress == {"trl/progress.json": {"spent": {"sampled_tokens": 5}, "silent": []}}
    assert frame.clocked == 1


@pytest.mark.parametrize("first", [True, False])
def test_silent_steps_are_counted_by_what_is_trained_on_and_only_in_a_row(first: bool) -> None:
    records = TrlRecords(RunConfig(stop_after_silent_steps=2), Frame() if first else None)
    ends = []
    for step, texts in enumerate([AGREE, DIFFER, AGREE, AGREE]):
        records.on_step(rollout(step, *texts))
        ends.append(records.on_log(step + 1, {}))
    assert ends == [False, False, False, True]
    assert records.stopped.startswith("2 steps in a row without a gradient")
    assert not records.interrupted


def test_a_group_that_the_rule_leaves_out_is_silent() -> None:
    config = RunConfig(task="text", votes_per_question=3, trained_per_question=3)
    question = Question(id="q", prompt="?")
    texts = [" ".join(f"word{n}" for n in range(60)) + f" {last}" for last in "aab"]
    group = GroupVoter(config).vote(question, [completion(question, t) for t in texts], step=0)
    assert group.skipped is not None
    records = TrlRecords(RunConfig(stop_after_silent_steps=1), None)
    records.on_step(RolloutStep(step=0, scored=(group,), metrics={}, votes=[], stop=False))
    assert records.on_log(1, {}) is True


def test_a_stop_that_any_process_was_asked_for_ends_the_training_as_interrupted() -> None:
    records = TrlRecords(RunConfig(), None)
    records.on_step(rollout(0, *DIFFER))
    assert records.on_log(1, {}) is False and not records.interrupted
    records.on_step(rollout(1, *DIFFER, stop=True))
    assert records.on_log(2, {}) is True and records.interrupted
    assert records.stopped == "all steps done"  # it is not how the run ended


def test_last_labels_are_those_of_the_last_visit(tmp_path, write_rows) -> None:
    rows = [("a", "1"), ("b", None), ("a", "2\u2028x")]
    path = write_rows(tmp_path / "votes.jsonl", *({"question": q, "label": x} for q, x in rows))
    assert last_labels(path) == {"a": "2\u2028x", "b": None}
    assert last_labels(tmp_path / "none.jsonl") == {}
