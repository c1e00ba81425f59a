import os
import re
import subprocess
import sys
import threading

import pytest
import yaml

from ttrl.config import INVOCATION_KEYS, key_names

COMMANDS = ("train", "eval", "config")
MAIN_OPTIONS = """
    model questions question-column answers holdout task algorithm reward steps questions-per-step
    votes-per-question trained-per-question temperature max-tokens samples lora dtype device seed
    config out resume dry-run json
"""


@pytest.fixture
def yaml_file(tmp_path):
    """`yaml_file(name, text)`: a config file's path as text."""

    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        return str(path)

    return write


def test_defaults_then_files_left_to_right_then_environment_then_command_line(call, yaml_file):
    first = yaml_file("a.yaml", "steps: 1\nseed: 1\nlimit: 1\nsamples: 1\n")
    second = yaml_file("b.yaml", "seed: 2\nlimit: 2\nsamples: 2\n")
    options = ("config", "--config", first, second, "--samples", "4", "--json")
    told = call(*options, env={"TTRL_LIMIT": "3", "TTRL_SAMPLES": "3"}).json
    assert told["max_tokens"]["source"] == "default"
    assert told["steps"] == {"value": 1, "source": first}
    assert told["seed"] == {"value": 2, "source": second}
    assert told["limit"] == {"value": 3, "source": "environment"}
    assert told["samples"] == {"value": 4, "source": "command line"}


def test_every_key_is_told_once_with_its_source(call):
    outcome = call("config")
    lines = [line for line in outcome.out.splitlines() if not line.startswith("#")]
    sources = {line.partition("# ")[2] for line in lines}
    assert sources == {"default", "default of grpo", "not read by grpo"}
    told = {line.partition(":")[0] for line in lines}
    assert told == set(key_names()) - INVOCATION_KEYS


def test_included_files_lie_under_the_file_that_names_them(call, yaml_file):
    yaml_file("base/common.yaml", "seed: 1\nlimit: 1\n")
    outer = yaml_file("outer.yaml", "config: base/common.yaml\nlimit: 2\n")  # beside this file
    told = call("config", "--config", outer, "--json").json
    assert told["seed"]["value"] == 1 and told["seed"]["source"].endswith("common.yaml")
    assert told["limit"] == {"value": 2, "source": outer}


def test_a_preset_is_named_like_a_file(call):
    told = call("config", "--config", "paper", "--seed", "7", "--json").json
    assert told["learning_rate"] == {"value": 5e-7, "source": "paper"}
    assert told["seed"] == {"value": 7, "source": "command line"}


def test_a_config_file_may_be_a_pipe_since_it_is_read_once(call, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=("steps: 7\n",), daemon=True)
    writer.start()
    outcome = call("train", "--config", str(pipe), "--dry-run", "--json")
    assert outcome.json["config"]["steps"] == 7


def test_the_environment_names_config_files_too(call, yaml_file):
    both = yaml_file("a.yaml", "seed: 1\n") + "," + yaml_file("b.yaml", "limit: 5\n")
    told = call("config", "--json", env={"TTRL_CONFIG": both}).json
    assert told["seed"]["value"] == 1 and told["limit"]["value"] == 5


def test_the_output_is_a_config_file_that_gives_the_same_settings(call, yaml_file):
    options = {
        "--prompt-template": "# not a comment: {question}\n'\"é\u2028 {instruction}",
        "--holdout": "0.25",
        "--questions": "yes.jsonl",  # texts that YAML might read as something else
        "--answers": "null",
        "--question-column": "1e3",
        "--learning-rate": "1e-7",
        "--limit": "12",
    }
    given = [part for pair in options.items() for part in pair]
    printed = call("config", *given, "--stop", "}", "# end", "--mask-truncated").out
    again = call("config", "--config", yaml_file("again.yaml", printed), "--json").json
    direct = call("config", *given, "--stop", "}", "# end", "--mask-truncated", "--json").json
    invocation = INVOCATION_KEYS
    assert {k: v["value"] for k, v in again.items() if k not in invocation} == {
        k: v["value"] for k, v in direct.items() if k not in invocation
    }
    assert direct["stop"]["value"] == ["}", "# end"]


def test_a_share_to_hold_out_is_a_number_in_yaml_as_on_the_command_line(call, yaml_file):
    outcome = call("config", "--config", yaml_file("a.yaml", "holdout: 0.2\n"), "--json")
    assert outcome.code == 0, outcome.err
    assert float(outcome.json["holdout"]["value"]) == 0.2


@pytest.mark.parametrize("text", ["steps: yes\n", "questions_per_step: true\n"])
def test_a_truth_value_is_no_number(call, yaml_file, refused, text):
    path = yaml_file("a.yaml", text)
    refused(call("config", "--config", path), 2, path, text.partition(":")[0])


def test_a_file_that_includes_itself_is_refused_however_it_is_spelled(call, yaml_file, refused):
    plain = yaml_file("a.yaml", "config: a.yaml\n")
    refused(call("config", "--config", plain), 2, "a.yaml", "includes itself")
    roundabout = yaml_file("sub/b.yaml", "config: ../sub/b.yaml\n")
    refused(call("config", "--config", roundabout), 2, "b.yaml", "includes itself")


@pytest.mark.parametrize("value", ["5", "[1]", "true"])
def test_an_include_that_names_no_file_is_refused(call, yaml_file, refused, value):
    path = yaml_file("a.yaml", f"config: {value}\n")
    refused(call("config", "--config", path), 2, path, "config")


@pytest.mark.parametrize(
    ("name", "text"),
    [("bytes.yaml", "\0"), ("list.yaml", "- steps\n"), ("open.yaml", "a: [1\n"), ("text.yaml", "steps\n")],
)  # fmt: skip
def test_a_file_that_is_no_table_of_settings_is_refused_by_name(
    call, yaml_file, refused, name, text
):
    refused(call("config", "--config", yaml_file(name, text)), 2, name)


def test_a_file_of_ten_thousand_brackets_is_refused(call, yaml_file, refused):
    refused(call("config", "--config", yaml_file("deep.yaml", "[" * 10_000)), 2, "deep.yaml")


@pytest.mark.parametrize("command", [(), *((c,) for c in COMMANDS)])
def test_help_never_imports_torch(command):
    listing = (
        "import sys\nfrom ttrl.cli.main import main\n"
        "try: code = main([*sys.argv[1:], '--help'])\n"
        "except SystemExit as end: code = end.code or 0\n"
        "print('IMPORTED', *sorted({m.partition('.')[0] for m in sys.modules}))\nsys.exit(code)"
    )
    done = subprocess.run(
        [sys.executable, "-c", listing, *command], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0 and done.stderr == ""
    imported = done.stdout.splitlines()[-1].split()
    assert "ttrl" in imported
    assert not {"torch", "transformers", "peft", "numpy", "pyarrow"} & set(imported)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_the_real_command_reads_well(ttrl, command):
    outcome = ttrl(command, "--help", env={"COLUMNS": "100"})
    assert outcome.code == 0 and outcome.err == ""
    assert f"usage: ttrl {command}" in outcome.out
    for option in ("--model", "--questions", "--seed", "--config", "--json"):
        assert option in outcome.out
    assert max(map(len, outcome.out.splitlines())) <= 100


def test_every_main_option_of_the_issue_is_one_of_train_and_a_key_of_yaml(ttrl):
    named = MAIN_OPTIONS.split()
    listed = set(re.findall(r"^  --([a-z0-9-]+)", ttrl("train", "--help").out, re.MULTILINE))
    assert set(named) <= listed
    assert {name.replace("-", "_") for name in named} <= set(key_names())


def test_the_installed_command_tells_its_version(ttrl):
    outcome = ttrl("--version")
    assert outcome.code == 0 and outcome.out.startswith("ttrl ")


def test_a_reader_that_leaves_early_gets_no_traceback(tmp_path):
    """As in `ttrl config | head -1`."""
    read, write = os.pipe()
    os.close(read)
    try:
        done = subprocess.run(
            [sys.executable, "-m", "ttrl", "config"],
            stdout=write,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    finally:
        os.close(write)
    assert "Traceback" not in done.stderr


def test_a_terminal_that_cannot_show_a_character_gets_no_traceback(ttrl):
    options = ("--prompt-template", "é {question}")
    outcome = ttrl("config", *options, env={"PYTHONIOENCODING": "ascii"})
    assert "Traceback" not in outcome.err
    assert outcome.code == 0
    assert yaml.safe_load(outcome.out)["prompt_template"] == "é {question}"
