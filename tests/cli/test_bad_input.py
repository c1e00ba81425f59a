"""Each bad input: its exit code, one message that says what is wrong, and nothing left behind."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest

from ttrl.cli.main import COMMANDS


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder that commands run in, so that a stray run directory would be seen."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nothing_written(here):
    """Afterwards there is no run directory."""
    yield
    assert not (here / "runs").exists() and not (here / "run").exists()


def questions(*rows):
    """Content of a .jsonl file."""
    return "".join((row if isinstance(row, str) else json.dumps(row)) + "\n" for row in rows)


GOOD = questions({"question": "What is 1 + 1?", "answer": "2"}, {"question": "What is 1 + 2?"})

BAD_FILES = {
    "empty": ("", ["the file is empty"]),
    "only blank lines": ("\n \n", ["the file is empty"]),
    "broken JSON": (questions({"question": "a"}, "", '{"question": "b'), ["line 3", "broken JSON"]),
    "no object": (questions("[1, 2]"), ["line 1", "a list", "JSON object"]),
    "no question column": (
        questions({"foo": "a", "bar": 1}, {"baz": 2}),
        ["question, problem, prompt, query, input", "foo, bar, baz", "--question-column"],
    ),
    "duplicate ids": (
        questions({"id": 7, "question": "a"}, {"id": 8, "question": "b"}, {"id": "7", "question": "c"}),
        ["line 3", "line 1", "'7'", "distinct ids"],
    ),
    "empty question": (questions({"question": "a"}, {"question": " "}), ["line 2", "is empty"]),
    "question that is a number": (questions({"question": 5}), ["line 1", "5", "as text"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD_FILES)
@pytest.mark.usefixtures("nothing_written")
def test_a_bad_question_file_ends_with_3_and_tells_the_place(call, refused, here, kind):
    content, told = BAD_FILES[kind]
    (here / "q.jsonl").write_text(content)
    refused(call("train", "--questions", "q.jsonl"), 3, "q.jsonl", *told)


@pytest.mark.usefixtures("nothing_written")
def test_a_missing_file_ends_with_3_and_tells_the_path(ttrl, refused, here):
    outcome = ttrl("train", "--questions", "data/nope.jsonl", cwd=here)
    refused(outcome, 3, "data/nope.jsonl", "no such file", str(here), ".jsonl")


BAD_DATA_OPTIONS = [
    ("--questions", "q.txt", 3, "'.txt'"),
    ("--questions", ".", 3, "folder"),
    ("--questions", "hub:gsm8k", 2, "hub:org/name"),
    ("--question-column", "nope", 3, "'nope'"),
    ("--answers", "nope", 3, "nope"),
    ("--holdout", "0", 2, "between 0 and 1"),
    ("--holdout", "1.5", 2, "between 0 and 1"),
    ("--holdout", "nan", 2, "between 0 and 1"),
    ("--holdout", "nope.jsonl", 3, "nope.jsonl"),
    ("--holdout", "0.01", 3, "of 2 questions"),
    ("--holdout", "q.jsonl", 3, "among those trained on"),
]


@pytest.mark.parametrize(("option", "value", "code", "told"), BAD_DATA_OPTIONS)
@pytest.mark.usefixtures("nothing_written")
def test_a_bad_option_about_data_is_told(call, refused, here, option, value, code, told):
    (here / "q.jsonl").write_text(GOOD)
    (here / "q.txt").write_text(GOOD)
    refused(call("train", "--questions", "q.jsonl", option, value), code, told)


@pytest.mark.parametrize("option", ["--answers", "--holdout", "--question-column"])
@pytest.mark.usefixtures("nothing_written")
def test_options_for_files_are_refused_for_the_embedded_questions(call, refused, option):
    refused(call("train", option, "0.5"), 2, option.removeprefix("--").replace("-", "_"))


def test_a_bad_question_file_is_told_before_torch_is_imported(here):
    """Which takes seconds."""
    command = (
        "import sys; from ttrl.cli.main import main; code = main(sys.argv[1:]);"
        "print('torch' in sys.modules); sys.exit(code)"
    )
    arguments = ["train", "--questions", "nope.jsonl"]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3 and done.stdout == "False\n"


@pytest.mark.usefixtures("nothing_written")
def test_a_question_longer_than_the_context_ends_with_3_and_tells_which(call, refused, here):
    rows = [{"id": "short", "question": "a"}, {"id": "long", "question": "one " * 2000}]
    (here / "q.jsonl").write_text(questions(*rows))
    message = refused(call("train", "--questions", "q.jsonl"), 3, "1 of 2", "long", "context")
    assert "at most 0" not in message  # max_tokens is at least 1, so that would mend nothing


@pytest.mark.usefixtures("nothing_written")
def test_completions_longer_than_the_context_end_with_3_and_the_largest_that_fits(call, refused):
    outcome = call("train", "--limit", "2", "--max-tokens", "1000")
    message = refused(outcome, 3, "context", "max_tokens=1000")
    fits = re.search(r"to at most (\d+)", message)
    assert fits is not None
    assert call("train", "--limit", "2", "--max-tokens", fits[1], "--dry-run").code == 0


@pytest.mark.usefixtures("nothing_written")
def test_the_answer_key_as_reward_without_answers_is_refused_before_anything_is_sampled(
    call, refused, here, tiny
):
    (here / "q.jsonl").write_text(GOOD)
    options = ("--questions", "q.jsonl", "--reward", "answer-key", "--out", "run")
    refused(call("train", *tiny, *options), 2, "answer-key", "--answers")


def test_more_embedded_questions_than_there_are_are_refused_and_not_searched_for_ever(
    ttrl, refused
):
    options = ("--difficulty", "1", "--limit", "1000000", "--dry-run")
    assert ttrl("train", *options).code in (2, 3)


@pytest.mark.usefixtures("nothing_written")
def test_adaptive_votes_on_one_question_with_similar_answers_are_refused_by_its_name(
    call, refused, here
):
    rows = [{"id": "sum", "question": "1+1?"}, {"id": "tale", "question": "Tell.", "kind": "text"}]
    (here / "q.jsonl").write_text(questions(*rows))
    options = ("--questions", "q.jsonl", "--task-column", "kind", "--votes", "adaptive")
    refused(call("train", *options), 2, "votes=adaptive", "'tale'", "text", "votes: fixed")


USAGE = {
    "unknown option": (["--votes-per-qestion", "8"], ["--votes-per-qestion", "--votes-per-question"]),
    "unknown option with =": (["--stepz=8"], ["--stepz", "--steps"]),
    "option with underscores": (["--votes_per_question", "8"], ["--votes-per-question"]),
    "abbreviated option": (["--quest", "a.jsonl"], ["--quest", "--questions"]),
    "option without value": (["--steps"], ["--steps"]),
    "stray word": (["questions.jsonl"], ["questions.jsonl"]),
    "text for a number": (["--steps", "many"], ["steps", "'many'", "integer", "command line"]),
    "fraction for a whole number": (["--steps", "1.5"], ["steps", "'1.5'", "integer"]),
    "negative number": (["--steps", "-1"], ["steps", "-1", "greater than or equal to 0"]),
    "no such choice": (["--dtype", "float16"], ["dtype", "float16", "bfloat16"]),
    "infinite rate": (["--learning-rate", "inf"], ["learning_rate", "inf", "finite"]),
    "temperature 0": (["--temperature", "0"], ["temperature", "greater than 0"]),
    "temperature nan": (["--temperature", "nan"], ["temperature"]),
    "temperature inf": (["--temperature", "inf"], ["temperature"]),
    "temperature of evaluation inf": (["--eval-temperature", "inf"], ["eval_temperature"]),
    "top-p over 1": (["--top-p", "1.5"], ["top_p", "less than or equal to 1"]),
    "K > M": (
        ["--votes-per-question", "8", "--trained-per-question", "9"],
        ["trained_per_question=9", "votes_per_question=8", "<= 8"],
    ),
    "one vote": (["--votes-per-question", "1", "--trained-per-question", "1"], ["at least 2"]),
    "no such kind of votes": (["--votes", "64"], ["votes", "'64'", "fixed", "adaptive"]),
    "first votes > M": (
        ["--votes", "adaptive", "--votes-per-question", "8", "--trained-per-question", "8"],
        ["adaptive_first=16", "votes_per_question=8", "<= 8"],
    ),
    "one first vote": (["--adaptive-first", "1"], ["adaptive_first", "greater than or equal to 2"]),
    "error rate of a half": (["--adaptive-error", "0.5"], ["adaptive_error", "less than 0.5"]),
    "adaptive votes on texts": (
        ["--votes", "adaptive", "--task", "text"],
        ["votes=adaptive", "task=text", "votes: fixed"],
    ),
    "adaptive votes by weights": (
        ["--votes", "adaptive", "--reward", "confidence"],
        ["votes=adaptive", "reward=confidence", "votes: fixed"],
    ),
    "template without question": (["--prompt-template", "hello"], ["{question}"]),
    "no such config file": (["--config", "nope.yaml"], ["nope.yaml", "No such file"]),
    "folder as config file": (["--config", "."], ["config file .", "directory"]),
}  # fmt: skip


@pytest.mark.parametrize("kind", USAGE)
@pytest.mark.usefixtures("nothing_written")
def test_bad_usage_ends_with_2_and_tells_where_got_and_wanted(call, refused, kind):
    arguments, told = USAGE[kind]
    refused(call("train", "--dry-run", *arguments), 2, *told)


def test_bad_usage_of_the_real_command_ends_with_2(ttrl, refused, here):
    refused(ttrl("train", "--stepz", "3", cwd=here), 2, "--stepz", "--steps")


def test_a_message_names_the_command_once(call):
    for arguments in (["stray"], ["--steps"], ["--stepz", "3"], ["--steps", "many"]):
        assert call("train", *arguments).err.count("ttrl train: ") == 1


def test_an_unknown_key_in_a_file_ends_with_2_and_the_nearest_name(call, refused, here):
    (here / "mine.yaml").write_text("steps: 3\nvotes_per_qestion: 8\n")
    outcome = call("train", "--config", "mine.yaml")
    refused(outcome, 2, "mine.yaml", "votes_per_qestion", "votes_per_question?")


def test_an_unknown_variable_ends_with_2_and_the_nearest_name_as_it_is_written(call, refused):
    outcome = call("train", env={"TTRL_STEPZ": "3"})
    refused(outcome, 2, "environment", "TTRL_STEPZ", "TTRL_STEPS")


def test_a_bad_value_of_a_variable_ends_with_2_and_tells_where_it_stands(call, refused):
    refused(call("train", env={"TTRL_STEPS": "many"}), 2, "environment", "steps", "'many'")


def test_unreadable_yaml_ends_with_2_and_its_line(call, refused, here):
    (here / "mine.yaml").write_text("steps: 3\nseed: [1\n")
    refused(call("train", "--config", "mine.yaml"), 2, "mine.yaml", "not valid YAML", "line 2")


@pytest.mark.parametrize("command", ["trian", "--bad", "Train", ""])
def test_an_unknown_command_ends_with_2_and_lists_the_commands(call, refused, command):
    outcome = call(command)
    assert outcome.code == 2 and outcome.out == ""
    assert repr(command) in outcome.err and ", ".join(COMMANDS) in outcome.err


def test_no_command_at_all_ends_with_2_and_tells_the_usage(call):
    outcome = call()
    assert outcome.code == 2
    assert "usage: ttrl COMMAND" in outcome.out + outcome.err


@pytest.mark.parametrize("device", ["bogus", "", "cuda:99", "meta", "cpu cuda"])
@pytest.mark.usefixtures("nothing_written")
def test_a_device_that_is_none_ends_with_2_and_tells_what_would_do(call, refused, tiny, device):
    message = refused(call("train", *tiny, "--device", device), 2, repr(device), "'cpu'")
    assert len(message) < 400


def test_an_existing_run_directory_ends_with_2_and_stays_as_it_is(ttrl, refused, here, snapshot):
    (here / "mine").mkdir()
    (here / "mine" / "notes.txt").write_text("mine")
    before = snapshot(here)
    refused(ttrl("train", "--out", "mine", cwd=here), 2, "mine", "exists already", "--out")
    assert snapshot(here) == before


def test_a_run_directory_that_is_a_file_ends_with_2_and_stays_as_it_is(call, refused, here):
    (here / "mine").write_text("mine")
    refused(call("train", "--out", "mine"), 2, "mine", "exists already")
    assert (here / "mine").read_text() == "mine"


def test_an_empty_folder_is_taken_as_a_run_directory(call, tiny, here):
    (here / "mine").mkdir()
    options = ("--steps", "0", "--samples", "1", "--eval-limit", "1", "--out", "mine")
    assert call("train", *tiny, *options).code == 0


@pytest.mark.parametrize("option", ["--out", "--model", "--resume", "--config", "--questions"])
@pytest.mark.usefixtures("nothing_written")
def test_a_name_that_no_file_can_have_gets_no_traceback(call, refused, option):
    codes = {
        "--out": (2, 4),
        "--model": (4,),
        "--resume": (4,),
        "--config": (2,),
        "--questions": (3,),
    }
    outcome = call("train", option, "x" * 300)
    assert outcome.code in codes[option]
    refused(outcome, outcome.code, "x" * 300)


@pytest.mark.usefixtures("nothing_written")
def test_a_run_directory_that_cannot_be_made_ends_with_4(call, refused, here, tiny):
    (here / "file").write_text("mine")
    refused(call("train", *tiny, "--out", "file/run"), 4, "file/run", "cannot be written")


@pytest.fixture
def train_on(call, tiny, here):
    """`train_on(model)`: one short run in this process."""
    return lambda model: call("train", *tiny, "--steps", "1", "--model", model)


def edit(path, **changes):
    """Changes keys of a JSON file; None removes."""
    content = json.loads(path.read_text()) | changes
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def change_tensors(path, change):
    from safetensors.torch import load_file, save_file

    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, {"format": "pt"})


@pytest.mark.usefixtures("nothing_written")
def test_an_unknown_model_ends_with_4_and_names_the_embedded_one(call, refused):
    outcome = call("train", "--model", "ttrl-tyni")
    refused(outcome, 4, "ttrl-tyni", "no such file or folder", "org/name", "'ttrl-tiny'")


@pytest.mark.usefixtures("nothing_written")
class TestAModelThatCannotBeUsedEndsWith4AndSaysWhy:
    def test_folder_without_weights(self, train_on, refused, model_copy):
        (model_copy / "model.safetensors").unlink()
        refused(train_on(model_copy), 4, str(model_copy), "no weights (*.safetensors)")

    def test_folder_with_pickled_weights_only(self, train_on, refused, model_copy):
        (model_copy / "model.safetensors").rename(model_copy / "pytorch_model.bin")
        refused(train_on(model_copy), 4, str(model_copy), "*.bin", "convert them to safetensors")

    def test_folder_without_config(self, train_on, refused, model_copy):
        (model_copy / "config.json").unlink()
        refused(train_on(model_copy), 4, str(model_copy), "no config.json")

    def test_config_that_is_no_json(self, train_on, refused, model_copy):
        (model_copy / "config.json").write_text("{")
        refused(train_on(model_copy), 4, str(model_copy), "config.json")

    def test_folder_without_tokenizer(self, train_on, refused, model_copy):
        (model_copy / "tokenizer.json").unlink()
        refused(train_on(model_copy), 4, str(model_copy), "tokenizer")

    def test_truncated_weights(self, train_on, refused, model_copy):
        weights = model_copy / "model.safetensors"
        os.truncate(weights, weights.stat().st_size // 2)
        refused(train_on(model_copy), 4, str(model_copy))

    def test_weights_of_another_shape(self, train_on, refused, model_copy):
        edit(model_copy / "config.json", intermediate_size=96)
        message = refused(train_on(model_copy), 4, str(model_copy))
        assert "above report" not in message  # there is none above
        assert re.search(r"mlp|384|96", message)

    def test_weights_that_lack_a_layer(self, train_on, refused, model_copy):
        """Transformers would fill it with random numbers and only warn."""

        def drop(tensors):
            for name in [name for name in tensors if ".layers.1." in name]:
                del tensors[name]

        change_tensors(model_copy / "model.safetensors", drop)
        refused(train_on(model_copy), 4, str(model_copy), "layers.1")

    def test_tokenizer_with_more_tokens_than_the_model(self, train_on, refused, model_copy):
        edit(model_copy / "config.json", vocab_size=64)

        def cut(tensors):
            for name in [name for name in tensors if "embed" in name or "lm_head" in name]:
                tensors[name] = tensors[name][:64].clone()

        change_tensors(model_copy / "model.safetensors", cut)
        refused(train_on(model_copy), 4, str(model_copy), "token", "64")

    def test_unknown_architecture(self, train_on, refused, model_copy):
        edit(model_copy / "config.json", model_type="madeup", architectures=["MadeUp"])
        refused(train_on(model_copy), 4, str(model_copy), "madeup")

    def test_no_end_token(self, train_on, refused, model_copy):
        edit(model_copy / "tokenizer_config.json", eos_token=None)
        edit(model_copy / "config.json", eos_token_id=None)
        (model_copy / "generation_config.json").unlink()
        refused(train_on(model_copy), 4, str(model_copy), "eos_token")

    def test_code_that_comes_with_the_model_is_not_run(self, train_on, refused, model_copy, here):
        auto = {"AutoConfig": "evil.Config", "AutoModelForCausalLM": "evil.Model"}
        edit(model_copy / "config.json", model_type="evil", auto_map=auto)
        (model_copy / "evil.py").write_text(f"open({str(here / 'ran')!r}, 'w')")
        refused(train_on(model_copy), 4, str(model_copy))
        assert not (here / "ran").exists() and "evil" not in sys.modules

    @pytest.mark.parametrize("text", ["{", "[]", '{"other": 1}', '{"prompt_template": "hello"}'])
    def test_prompt_file_without_a_template_for_questions(
        self, train_on, refused, model_copy, text
    ):
        (model_copy / "ttrl.json").write_text(text)
        refused(train_on(model_copy), 4, "ttrl.json", "{question}")

    @pytest.mark.parametrize("template", ["{% for", "{{ raise_exception('no user role') }}"])
    def test_broken_chat_template(self, train_on, refused, model_copy, template):
        (model_copy / "ttrl.json").unlink()
        edit(model_copy / "tokenizer_config.json", chat_template=template)
        refused(train_on(model_copy), 4, str(model_copy), "chat template")

    def test_file_that_is_no_gguf(self, train_on, refused, here):
        (here / "model.bin").write_bytes(b"x")
        refused(train_on(here / "model.bin"), 4, "model.bin", ".gguf")


@pytest.fixture
def gguf_file(here):
    """`gguf_file(architecture)`: a minimal file of the GGUF format."""
    import gguf
    import numpy

    def write(architecture):
        path = here / f"{architecture}.gguf"
        writer = gguf.GGUFWriter(path, architecture)
        writer.add_block_count(1)
        writer.add_context_length(64)
        writer.add_embedding_length(8)
        writer.add_tensor("token_embd.weight", numpy.zeros((8, 8), numpy.float32))
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_tensors_to_file()
        writer.close()
        return path

    return write


@pytest.mark.usefixtures("nothing_written")
def test_a_gguf_file_of_an_unknown_architecture_ends_with_4_and_names_it(
    train_on, refused, gguf_file
):
    path = gguf_file("madeup")
    refused(train_on(path), 4, str(path), "architecture madeup", "not supported")


@pytest.mark.parametrize("size", [0, 3, 40, -100])
@pytest.mark.usefixtures("nothing_written")
def test_a_truncated_gguf_file_ends_with_4(train_on, refused, gguf_file, size):
    path = gguf_file("llama")
    os.truncate(path, size if size >= 0 else path.stat().st_size + size)
    refused(train_on(path), 4, str(path), "not a readable GGUF file")


@pytest.mark.usefixtures("nothing_written")
def test_a_gguf_file_of_a_known_architecture_without_its_tensors_ends_with_4(
    train_on, refused, gguf_file
):
    path = gguf_file("llama")
    refused(train_on(path), 4, str(path), "cannot be loaded")


def test_a_full_disk_ends_with_4_keeps_the_earlier_checkpoint_and_can_be_resumed(
    ttrl, call, tiny, here, folder_of, same
):
    """A limit on the size of files is the full disk: weights are larger, records are smaller."""
    whole, run = folder_of(here / "whole"), folder_of(here / "full")
    options = (*tiny, "--checkpoint-every", "2", "--samples", "1")
    assert call("train", *options, "--out", whole.path).code == 0
    shutil.copytree(whole.path, run.path)
    for left in (run.last_checkpoint, run.path / "result.json", run.path / "report.html"):
        os.rename(left, here / left.name)  # as it was after step 3

    outcome = ttrl("train", "--resume", run.path, largest_file=1_000_000)
    assert outcome.code == 4
    assert "Traceback" not in outcome.err
    message = outcome.err.splitlines()[-1]
    assert message.startswith("ttrl train: checkpoint ") and "step-000004" in message
    assert f"ttrl train --resume {run.path}" in message
    assert [p.name for p in run.path.glob("checkpoints/*")] == ["step-000002"]

    assert call("train", "--resume", run.path).code == 0
    assert run.same_bits(whole) == same


def test_a_full_disk_at_the_first_record_ends_with_4(call, tiny, here, monkeypatch):
    from ttrl import files

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    outcome = call("train", *tiny, "--out", "run")
    assert outcome.code == 4 and "No space left on device" in outcome.err
    assert "config.yaml" in outcome.err
    assert not list((here / "run").rglob("*.tmp"))
    monkeypatch.undo()
    assert call("train", *tiny, "--steps", "0", "--out", here / "run").code == 0, (
        "half a run is left"
    )


def test_a_full_disk_at_the_report_ends_with_4_and_a_resume_writes_it(
    call, tiny, here, monkeypatch, folder_of
):
    replace = os.replace

    def full(source, target):
        if str(target).endswith("report.html"):
            raise OSError(28, "No space left on device")
        replace(source, target)

    run = folder_of(here / "run")
    options = ("--steps", "0", "--samples", "1", "--eval-limit", "1", "--out", run.path)
    monkeypatch.setattr(os, "replace", full)
    outcome = call("train", *tiny, *options)
    assert outcome.code == 4
    assert "report.html" in outcome.err and "No space left on device" in outcome.err
    monkeypatch.undo()
    assert call("train", "--resume", run.path).code == 0
    assert "</html>" in run.report


def test_a_gradient_that_is_not_finite_ends_with_6_before_the_update(
    ttrl, call, tiny, here, folder_of
):
    """The KL term is 0 at the base model and overflows after the first update."""
    run, one = folder_of(here / "run"), folder_of(here / "one-step")
    options = (*tiny, "--kl-coefficient", "1e30", "--checkpoint-every", "1", "--samples", "1")
    outcome = ttrl("train", *options, "--out", run.path)
    assert outcome.code == 6
    assert "Traceback" not in outcome.err and outcome.out == ""
    assert call("train", *options, "--steps", "1", "--out", one.path).code == 0
    assert run.last_step == 1 and run.lines == 1
    assert run.weights == one.weights  # those before the bad update

    message = outcome.err[outcome.err.index("ttrl train: ") :]
    assert "not finite" in message and "learning_rate" in message
    assert "step 2" in message  # where
    assert "step-000001" in message  # what is left


@pytest.mark.parametrize("rate", ["1e38", "1e300"])
def test_a_learning_rate_beyond_float32_gets_no_traceback(call, tiny, here, rate):
    options = ("--learning-rate", rate, "--warmup-steps", "0", "--samples", "1", "--out", "run")
    outcome = call("train", *tiny, *options)
    assert outcome.code in (2, 6) and "Traceback" not in outcome.err


def test_a_temperature_so_small_that_logits_overflow_gets_no_traceback(call, tiny, here):
    outcome = call("train", *tiny, "--temperature", "1e-39", "--samples", "1", "--out", "run")
    assert outcome.code in (2, 6) and "Traceback" not in outcome.err


def test_a_model_with_weights_that_are_no_numbers_is_not_trained(train_on, model_copy):
    def spoil(tensors):
        next(t for name, t in tensors.items() if "layers.1.mlp" in name)[0, 0] = float("nan")

    change_tensors(model_copy / "model.safetensors", spoil)
    outcome = train_on(model_copy)
    assert outcome.code in (4, 6) and "Traceback" not in outcome.err


def test_with_json_every_number_is_json(call):
    """Infinity and NaN are not, though Python writes and reads them."""
    options = ("--limit", "2", "--samples", "2", "--max-tokens", "8")
    outcome = call("eval", *options, "--eval-temperature", "inf", "--json")
    assert outcome.code == 2 or outcome.json
