"""Each command takes the options that its keys name, and refuses all others."""

import importlib
import re

import pytest

from ttrl.cli import options
from ttrl.cli.main import COMMANDS
from ttrl.config import KEYS, keys_read_by

MODEL = "model lora dtype device prompt-template"
FILE = "questions question-column answers holdout limit difficulty data-seed task-column options-column"
EVALUATED = f"{FILE} level-column transfer fresh fresh-count equation-column"
READING = "task last-number text-measure"
REWARD = """
    reward similarity-threshold confidence-temperature selective-share selective-margin
    selective-negative selective-entropy
"""
LEARNING = """
    algorithm steps questions-per-step votes-per-question trained-per-question votes adaptive-first
    adaptive-error trained-choice mask-truncated updates-per-step passes-per-step learning-rate schedule
    warmup-steps weight-decay adam-beta2 clip-norm stop-after-silent-steps micro-batch-tokens
    gradient-checkpointing clip-low clip-high dual-clip loss-aggregation kl-coefficient kl-estimator kl-in
    entropy-coefficient advantage-clip importance-cap refill-rounds gae-lambda value-clip
    critic-learning-rate dpo-beta dpo-loss dpo-label-smoothing prime-beta prime-learning-rate
"""
SAMPLING = """
    max-tokens stop sampling-dtype sampler-rows samples eval-temperature eval-top-p eval-limit eval-sets
"""
OF_A_RUN = f"""
    {MODEL} {EVALUATED} {READING} {REWARD} {LEARNING} temperature top-p top-k {SAMPLING} engine vllm trl
    config json
"""
OUTPUT = "out checkpoint-every resume report-to dry-run"

OF_VERSION_0_6 = {
    "train": f"{OF_A_RUN} {OUTPUT} seed base-evaluations",
    "config": f"{OF_A_RUN} {OUTPUT} seed base-evaluations",
    "probe": f"{OF_A_RUN} seed probe-questions probe-votes",
    "study": f"{OF_A_RUN} {OUTPUT} arms seeds jobs",
    "sweep": f"{OF_A_RUN} {OUTPUT} grid seeds jobs",
    "eval": f"{MODEL} {EVALUATED} {READING} {SAMPLING} config json seed out dry-run",
    "vote": f"{READING} {REWARD} config json seed out unsorted base-evaluations report-to",
    "export-data": f"{FILE} task votes-per-question config json format out data-source",
    "report": "out json",
    "export": "out adapter json",
}
"""What each command took in 0.6.0, as its parser listed it."""
LABELS = """
    views view-count label-votes further-votes label-temperature label-rule visit-decay teacher-decay peer
    verifier verifier-weight verifier-seconds augment augment-copies guard advantage keep restrain-center
    restrain-width restrain-least restrain-penalty
"""
ADDED_SINCE = {key.replace("_", "-") for key in KEYS} & set(LABELS.split())
"""Options that there were not in 0.6.0."""
REFUSED_SINCE = {"vote": {"base-evaluations", "report-to"}}
"""Options that a command took and did not read."""
OWN = {
    "probe": {"probe-questions", "probe-votes"},
    "study": {"arms", "seeds", "jobs"},
    "sweep": {"grid", "seeds", "jobs"},
    "vote": {"unsorted"},
    "export-data": {"format", "out", "data-source"},
    "report": {"out"},
    "export": {"out", "adapter"},
}
"""Options that are no keys of a run. (The `out` of these is another than a run's.)"""
MISPLACED = [
    (command, name) for command in COMMANDS for name in KEYS if command not in KEYS[name].readers
]


def parser_of(command, monkeypatch):
    """The parser that the command makes, caught when it is about to read its arguments."""

    class Caught(Exception):
        pass

    def catch(parser, *_):
        raise Caught(parser)

    monkeypatch.setattr(options._Parser, "parse_known_args", catch)
    module = importlib.import_module(f"ttrl.cli.{command.replace('-', '_')}_command")
    with pytest.raises(Caught) as caught:
        module.run([])
    return caught.value.args[0]


def options_of(parser):
    flags = {flag for action in parser._actions for flag in action.option_strings}
    return {flag.removeprefix("--") for flag in flags - {"-h", "--help"}}


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_takes_the_keys_that_name_it_and_its_own_options_and_nothing_else(
    command, monkeypatch
):
    named = {key.replace("_", "-") for key in keys_read_by(command)}
    assert options_of(parser_of(command, monkeypatch)) == named | OWN.get(command, set())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_takes_the_options_of_0_6_but_those_it_never_read(command, monkeypatch):
    before = set(OF_VERSION_0_6[command].split())
    expected = before - REFUSED_SINCE.get(command, set())
    assert options_of(parser_of(command, monkeypatch)) - ADDED_SINCE == expected


def test_an_option_that_another_command_reads_is_refused_by_name(call, refused):
    assert len(MISPLACED) > 250
    for command, name in MISPLACED:
        flag = "--" + name.replace("_", "-")
        if flag.removeprefix("--") not in OWN.get(command, set()):
            message = refused(call(command, *REQUIRED.get(command, ()), flag, "x"), 2, repr(flag))
            assert "It is an option of ttrl train." in message


REQUIRED = {
    "vote": ("FILE",),
    "report": ("RUN",),
    "export": ("RUN", "--out", "x"),
    "export-data": ("--format", "verl", "--out", "x"),
}
"""Arguments without which these commands refuse everything."""


@pytest.mark.parametrize(
    "option", [("--base-evaluations", "/nowhere"), ("--report-to", "wandb")], ids=lambda o: o[0]
)
def test_vote_refuses_what_it_does_not_read(call, refused, tmp_path, option):
    file = tmp_path / "c.jsonl"
    file.write_text('{"id": 1, "completion": "2"}\n')
    refused(call("vote", file, *option), 2, option[0], "It is an option of ttrl train.")


def test_a_file_and_variables_may_hold_keys_that_other_commands_read(call, tmp_path):
    config, file = tmp_path / "c.yaml", tmp_path / "c.jsonl"
    config.write_text("base_evaluations: /nowhere\nreport_to: wandb\nsteps: 3\nsamples: 1\n")
    file.write_text('{"id": 1, "completion": "2"}\n')
    shared = {"TTRL_LEARNING_RATE": "1", "TTRL_RESUME": "nowhere"}
    assert call("vote", file, "--config", config, env=shared).code == 0
    config.write_text("steps: 3\nreward: soft\ncheckpoint_every: 2\nreport_to: wandb\n")
    assert call("eval", "--config", config, "--dry-run", "--limit", "2", env=shared).code == 0


def test_a_variable_names_the_file_that_vote_writes(call, tmp_path):
    file, out = tmp_path / "c.jsonl", tmp_path / "v.jsonl"
    file.write_text('{"id": 1, "completion": "2"}\n')
    assert call("vote", file, env={"TTRL_OUT": str(out)}).code == 0 and out.exists()


def test_every_reader_is_a_command_or_an_adapter_and_every_key_is_read_by_train():
    readers = {reader for key in KEYS.values() for reader in key.readers}
    assert readers == {*COMMANDS, "Overlay", "verl"}
    assert keys_read_by("train") == keys_read_by("config") == list(KEYS)


def test_switches_take_no_value_and_lists_take_several():
    parser = options.make_parser("train", "")
    given = options.parse(parser, ["--dry-run", "--stop", "a,b", "c", "--fresh", "x,y"])
    assert given == {"dry_run": True, "stop": ["a,b", "c"], "fresh": ["x,y"]}


@pytest.mark.parametrize("command", COMMANDS)
def test_the_help_of_every_command_fits_and_describes_every_option(command, monkeypatch):
    parser = parser_of(command, monkeypatch)
    lines = parser.format_help().splitlines()
    assert max(map(len, lines)) <= 100
    assert all(action.help for action in parser._actions)
    listed = {name for line in lines for name in re.findall(r"^  --([a-z0-9-]+)", line)}
    assert listed == options_of(parser)
