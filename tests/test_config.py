import pytest

from ttrl.config import RunConfig, key_names, resolve
from ttrl.errors import ConfigError


def write(path, text):
    path.write_text(text)
    return str(path)


def test_defaults_then_files_then_environment_then_command_line(tmp_path):
    first = write(tmp_path / "a.yaml", "steps: 1\nseed: 1\nlimit: 1\nsamples: 1\n")
    second = write(tmp_path / "b.yaml", "seed: 2\nlimit: 2\nsamples: 2\n")
    resolved = resolve(
        {"config": [first, second], "samples": "4"},
        environment={"TTRL_LIMIT": "3", "TTRL_SAMPLES": "3", "HOME": "x"},
    )
    values = resolved.values
    assert (values.steps, values.seed, values.limit, values.samples) == (1, 2, 3, 4)
    assert values.questions_per_step == RunConfig().questions_per_step
    told = [resolved.sources[k] for k in ("steps", "seed", "limit", "samples", "lora")]
    assert told == [first, second, "environment", "command line", "default"]


def test_a_file_may_stand_on_others(tmp_path):
    write(tmp_path / "base.yaml", "steps: 1\nseed: 1\n")
    top = write(tmp_path / "top.yaml", "config: base.yaml\nseed: 2\n")
    values = resolve({"config": [top]}, environment={}).values
    assert (values.steps, values.seed) == (1, 2)
    circle = write(tmp_path / "circle.yaml", "config: circle.yaml\n")
    with pytest.raises(ConfigError, match="includes itself"):
        resolve({"config": [circle]}, environment={})


@pytest.mark.parametrize(
    ("given", "environment", "message"),
    [
        (
            {"vote_per_question": "8"},
            {},
            r"'--vote-per-question'.*Did you mean --votes-per-question\?",
        ),
        (
            {},
            {"TTRL_STEP": "8"},
            r"environment: unknown key 'TTRL_STEP'. Did you mean TTRL_STEPS\?",
        ),
        ({"steps": "many"}, {}, r"command line: steps='many'"),
        ({"temperature": "0"}, {}, "greater than 0"),
        ({"learning_rate": "nan"}, {}, "finite"),
        ({"trained_per_question": "65"}, {}, r"more than votes_per_question=64.*<= 64"),
        ({"votes_per_question": "1", "trained_per_question": "1"}, {}, "nothing to learn"),
        ({"prompt_template": "hello"}, {}, r"no \{question\}"),
        ({"config": ["missing.yaml"]}, {}, "missing.yaml cannot be read"),
        ({"verifier_seconds": 1e9}, {}, "verifier_seconds=.*less than or equal to 86400"),
    ],
)
def test_what_is_wrong_is_said_with_its_place_and_its_mending(given, environment, message):
    with pytest.raises(ConfigError, match=message):
        resolve(given, environment=environment)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"views": "nonsense"}, r"^command line: views='nonsense': [^\n]*'auto'\.\n`ttrl config`"),
        ({"views": "facts,optoins"}, r"views='optoins': .*'options'.* Did you mean options\?"),
        ({"augment": "perturbd"}, r"augment='perturbd': .*'perturbed'"),
        ({"views": "options"}, "task=math: its questions have no such views, which are for choice"),
        ({"views": "names,facts", "task": "code"}, "choose identifiers"),
        ({"augment": "perturbed", "task": "choice"}, "set task to math or number"),
        ({"augment": "perturbed", "reward": "answer-key"}, "nobody knows the answers of copies"),
    ],
)
def test_views_and_copies_that_cannot_be_are_refused_by_name(given, message):
    with pytest.raises(ConfigError, match=message):
        resolve(given, environment={})


@pytest.mark.parametrize(
    "given",
    [
        {"views": "facts,names,identifiers"},
        {"views": "options,names", "task": "choice"},
        {"views": "options", "task_column": "kind"},
        {"augment": "perturbed", "task": "number"},
    ],
)
def test_views_and_copies_that_can_be_are_taken(given):
    resolve(given, environment={})


def test_a_resolved_config_runs_again(tmp_path):
    resolved = resolve({"steps": "7", "stop": "\n\n", "lora": 4}, environment={})
    again = resolve({"config": [write(tmp_path / "c.yaml", resolved.as_yaml())]}, environment={})
    assert again.as_dict(invocation=False) == resolved.as_dict(invocation=False)


@pytest.mark.parametrize(
    "given", ["wandb,tensorboard", ["wandb", "tensorboard"], ["wandb, tensorboard"]]
)
def test_trackers_are_named_by_a_list_or_between_commas_in_every_layer(given, tmp_path):
    file = write(tmp_path / "c.yaml", f"report_to: {given}\n")
    expected = ("wandb", "tensorboard")
    assert resolve({"report_to": given}, environment={}).values.report_to == expected
    assert resolve({"config": [file]}, environment={}).values.report_to == expected
    if isinstance(given, str):
        environment = {"TTRL_REPORT_TO": given}
        assert resolve({}, environment=environment).values.report_to == expected


@pytest.mark.parametrize("given", ["comet", 3, [1], {"wandb": 1}])
def test_a_tracker_that_there_is_not_is_refused_with_those_that_there_are(given, tmp_path):
    file = write(tmp_path / "c.yaml", f"report_to: {given}\n")
    with pytest.raises(ConfigError, match="report_to="):
        resolve({"config": [file]}, environment={})


def test_yaml_that_is_no_mapping_is_told(tmp_path):
    with pytest.raises(ConfigError, match="holds a list"):
        resolve({"config": [write(tmp_path / "a.yaml", "- 1\n")]}, environment={})
    with pytest.raises(ConfigError, match="not valid YAML"):
        resolve({"config": [write(tmp_path / "b.yaml", "a: [")]}, environment={})


@pytest.mark.parametrize(
    "value", ["2024-13-45", "!!int", "!!timestamp soon", "!!float x", "[" * 2000]
)
def test_a_value_that_yaml_trips_over_is_told_too(tmp_path, value):
    with pytest.raises(ConfigError, match=r"c\.yaml is not valid YAML"):
        resolve({"config": [write(tmp_path / "c.yaml", f"seed: {value}\n")]}, environment={})


def test_the_paper_preset_is_built_in_and_valid():
    values = resolve({"config": ["paper"]}, environment={}).values
    assert (values.votes_per_question, values.trained_per_question) == (64, 32)
    assert values.learning_rate == 5e-7


def test_the_main_option_names_are_keys():
    names = (
        "model questions question_column answers holdout task algorithm reward steps "
        "questions_per_step votes_per_question trained_per_question temperature max_tokens samples "
        "lora dtype device seed config out resume dry_run json"
    )
    assert set(names.split()) <= set(key_names())
