import json
import re

import pytest

from ttrl.answers.tasks import get_task

OPTIONS = ("--limit", "4", "--samples", "4")


@pytest.fixture
def chat_model(embedded_folder, tmp_path):
    """A folder with a small random Llama and a tokenizer that has a chat template."""
    import torch
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    tokenizer = AutoTokenizer.from_pretrained(embedded_folder)
    tokenizer.chat_template = (
        "{% for m in messages %}<{{ m['role'] }}>{{ m['content'] }}</{{ m['role'] }}>{% endfor %}"
        "{% if add_generation_prompt %}<assistant>{% endif %}"
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=len(tokenizer),
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=1,
                num_attention_heads=2,
                max_position_embeddings=512,
                eos_token_id=tokenizer.eos_token_id,
                pad_token_id=tokenizer.pad_token_id,
                bos_token_id=None,
            )
        )
    folder = tmp_path / "chat"
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def test_the_embedded_model_on_its_three_sets(ttrl):
    outcome = ttrl("eval", *OPTIONS, "--json")
    assert outcome.code == 0
    assert len(outcome.out.splitlines()) == 1
    assert set(outcome.json["sets"]) == {"unlabeled", "heldout", "out_of_prior"}
    for name in ("unlabeled", "held-out", "out-of-prior"):
        assert re.search(rf"^eval +{name} .*\(temperature 0\.6\)$", outcome.err, re.MULTILINE)
    for each in outcome.json["sets"].values():
        assert {"avg@4", "avg@4_ci", "maj@4", "pass@4"} <= set(each["base"])
    assert outcome.json["sampled_tokens"] > 0


def test_without_json_the_sets_are_told_on_standard_output(call):
    outcome = call("eval", *OPTIONS)
    assert outcome.code == 0 and outcome.err == ""
    assert [line.split()[:2] for line in outcome.out.splitlines()] == [
        ["eval", "unlabeled"], ["eval", "held-out"], ["eval", "out-of-prior"],
    ]  # fmt: skip


def test_sixty_four_samples_give_the_published_metrics(call):
    outcome = call("eval", "--limit", "2", "--samples", "64", "--json")
    names = {"avg@16", "avg@16_ci", "maj@64", "pass@16", "entropy", "no_answer_rate", "mean_tokens"}
    assert names <= set(outcome.json["sets"]["unlabeled"]["base"])


def test_the_same_command_gives_the_same_numbers(call):
    first, second = (call("eval", *OPTIONS, "--json").json["sets"] for _ in range(2))
    assert first == second


def test_a_file_with_answers_is_scored_and_out_keeps_result_and_votes(
    call, tmp_path, write_rows, problems
):
    file, out = write_rows(tmp_path / "q.jsonl", *problems), tmp_path / "out"
    options = ("--questions", file, "--answers", "answer", "--samples", "4")
    outcome = call("eval", *options, "--out", out, "--json")
    assert outcome.code == 0
    stored = json.loads((out / "result.json").read_text())
    assert stored == outcome.json
    votes = json.loads((out / "evaluations" / "base-unlabeled.json").read_text())
    assert [q["id"] for q in votes["questions"]] == [row["id"] for row in problems]
    assert [q["answer"] for q in votes["questions"]] == [row["answer"] for row in problems]
    assert all(sum(q["counts"]) + q["other"] + q["abstained"] == 4 for q in votes["questions"])
    right = sum(q["correct"] for q in votes["questions"]) / 32
    assert outcome.json["sets"]["unlabeled"]["base"]["avg@4"] == pytest.approx(right)


def test_a_file_without_answers_gives_what_can_be_said_without_them(
    call, tmp_path, write_rows, problems
):
    file = write_rows(tmp_path / "q.jsonl", *({"question": r["question"]} for r in problems))
    metrics = call("eval", "--questions", file, "--samples", "4", "--json").json["sets"]
    assert {"entropy", "majority_ratio", "no_answer_rate"} <= set(metrics["unlabeled"]["base"])
    assert not [k for k in metrics["unlabeled"]["base"] if "@" in k]


def test_an_existing_out_is_refused_and_untouched(call, tmp_path, refused, snapshot):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine.txt").write_text("mine")
    before = snapshot(tmp_path)
    message = refused(call("eval", *OPTIONS, "--out", tmp_path / "out"), 2, "exists already")
    assert "--resume" not in message  # there is no run to go on with
    assert snapshot(tmp_path) == before


def test_a_chat_model_is_asked_through_its_template_with_the_instruction_once(
    call, chat_model, tmp_path, write_rows
):
    file = write_rows(tmp_path / "q.jsonl", {"question": "What is 2 + 2?"})
    outcome = call("eval", "--model", chat_model, "--questions", file, "--dry-run")
    assert outcome.code == 0
    instruction = get_task("math").instruction
    prompt = f"<user>What is 2 + 2?\n{instruction}</user><assistant>"
    assert repr(prompt) in outcome.out
    assert outcome.out.count(repr(instruction)[1:-1]) == 1


def test_a_chat_model_that_knows_nothing_is_evaluated_all_the_same(
    call, chat_model, tmp_path, write_rows
):
    file = write_rows(tmp_path / "q.jsonl", {"question": "What is 2 + 2?", "answer": "4"})
    options = ("--questions", file, "--answers", "answer", "--samples", "4", "--max-tokens", "8")
    outcome = call("eval", "--model", chat_model, *options, "--json")
    assert outcome.code == 0
    metrics = outcome.json["sets"]["unlabeled"]["base"]
    assert metrics["avg@4"] == 0 and metrics["no_answer_rate"] == 1


def test_a_prompt_template_given_by_hand_wins_over_the_chat_template(
    call, chat_model, tmp_path, write_rows
):
    file = write_rows(tmp_path / "q.jsonl", {"question": "What is {x}?"})
    options = ("--questions", file, "--prompt-template", "Q: {question} A:", "--dry-run")
    assert repr("Q: What is {x}? A:") in call("eval", "--model", chat_model, *options).out


def test_a_dry_run_for_machines_ends_with_one_json_object(call):
    outcome = call("eval", *OPTIONS, "--dry-run", "--json")
    assert outcome.code == 0
    assert outcome.json["config"]["samples"] == 4


def test_a_training_option_is_refused_as_none_of_evaluation(call, refused):
    for option, value in (("--steps", "3"), ("--reward", "answer-key")):
        message = refused(call("eval", option, value), 2, option)
        assert "'?'" not in message  # that is not what was given


def test_a_temperature_is_obeyed_or_refused_but_not_ignored(call):
    outcome = call("eval", *OPTIONS, "--temperature", "0.1", "--json")
    assert outcome.code == 2 or outcome.json["sets"]["unlabeled"]["base"]["temperature"] == 0.1


def test_resume_is_told_to_be_for_training(call, refused, tmp_path):
    refused(call("eval", "--resume", tmp_path), 2, "--resume", "ttrl train")


def test_levels_are_told_after_their_set_and_under_it_in_json(call, tmp_path, write_rows, problems):
    rows = [{**row, "level": f"Level {9 + i % 2}"} for i, row in enumerate(problems)]
    file = write_rows(tmp_path / "q.jsonl", *rows)
    options = ("--questions", file, "--answers", "answer", "--samples", "4")
    outcome = call("eval", *options, "--out", tmp_path / "out", "--json")
    assert outcome.code == 0
    levels = outcome.json["sets"]["unlabeled"]["by_level"]
    assert [row["level"] for row in levels] == ["Level 9", "Level 10"]
    assert [row["questions"] for row in levels] == [4, 4]
    stored = json.loads((tmp_path / "out" / "evaluations" / "base-unlabeled.json").read_text())
    assert stored["by_level"] == levels and stored["cost"]["sampled_tokens"] > 0
    assert [record["level"] for record in stored["questions"]] == [row["level"] for row in rows]
    lines = outcome.err.splitlines()
    table = lines[lines.index(next(line for line in lines if line.startswith("eval"))) + 1 :][:3]
    assert table[0].split() == ["level", "questions", "avg@k", "maj@n", "agree"]
    assert len({line.index("[") for line in table[1:]}) == 1  # aligned
    assert f"{levels[0]['avg@k']:.3f} [" in table[1] and "Level 10" in table[2]


def test_half_the_answers_give_curves_over_those_and_levels_over_all(
    call, tmp_path, write_rows, problems
):
    rows = [{**row, "level": 1 + i // 4} for i, row in enumerate(problems)]
    for row in rows[4:]:
        row["answer"] = None
    file, out = write_rows(tmp_path / "q.jsonl", *rows), tmp_path / "out"
    options = ("--questions", file, "--answers", "answer", "--samples", "4", "--out", out)
    outcome = call("eval", *options)
    assert outcome.code == 0
    stored = json.loads((out / "evaluations" / "base-unlabeled.json").read_text())
    curves = stored["curves"]
    assert curves["k"] == [1, 2, 4] and len(curves["maj_ci"]) == len(curves["pass_ci"]) == 3
    assert curves["maj"][-1] == stored["metrics"]["maj@4"]
    assert curves["pass"][-1] == stored["metrics"]["pass@4"]
    assert [row["labeled"] for row in stored["by_level"]] == [4, 0]
    assert "avg@k" not in stored["by_level"][1]
    assert [record["vote_right"] is None for record in stored["questions"]] == [False] * 4 + [
        True
    ] * 4
    assert outcome.out.splitlines()[3].split()[:4] == ["2", "4", "-", "-"]


def test_without_answers_there_are_levels_and_no_curves(call, tmp_path, write_rows, problems):
    rows = [{"question": row["question"], "difficulty": "easy"} for row in problems]
    file, out = write_rows(tmp_path / "q.jsonl", *rows), tmp_path / "out"
    assert call("eval", "--questions", file, "--samples", "2", "--out", out).code == 0
    stored = json.loads((out / "evaluations" / "base-unlabeled.json").read_text())
    assert "curves" not in stored and [row["level"] for row in stored["by_level"]] == ["easy"]


def test_a_level_column_that_is_not_there_is_refused(call, refused, tmp_path, write_rows, problems):
    file = write_rows(tmp_path / "q.jsonl", *problems)
    outcome = call("eval", "--questions", file, "--level-column", "grade")
    refused(outcome, 3, "'grade'", "--level-column", "answer")


def test_out_says_what_the_evaluation_stood_on(call, tmp_path):
    options = ("--limit", "2", "--samples", "1", "--out")
    for name in ("a", "b"):
        assert call("eval", *options, tmp_path / name).code == 0
    one, two = (json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("a", "b"))
    assert one["command"] == "eval" and one["inputs"] == two["inputs"]
    assert one["inputs"]["questions"] and one["rewarded_by_true_labels"] is False
    assert "torch" in one["versions"]


def test_fresh_questions_are_evaluated_with_an_account_of_the_copies(call, tmp_path):
    options = ("--limit", "8", "--samples", "2", "--fresh", "generated", "perturbed")
    options += ("--fresh-count", "6", "--out", tmp_path / "out")
    first, again = call("eval", *options), call("eval", *options[:-2], "--json")
    assert first.code == 0
    assert set(again.json["sets"]) == {
        "unlabeled", "heldout", "out_of_prior", "fresh_generated", "fresh_perturbed",
    }  # fmt: skip
    assert "8 of 8 questions could be copied. 6 of the copies are asked" in first.out
    votes = {
        name: json.loads((tmp_path / "out" / "evaluations" / f"base-{name}.json").read_text())
        for name in ("fresh_generated", "fresh_perturbed")
    }
    assert (
        votes["fresh_perturbed"]["note"].startswith("8 of 8")
        and "note" not in votes["fresh_generated"]
    )
    for name, each in votes.items():
        assert len(each["questions"]) == 6 and each["labeled"]
        assert each["metrics"]["avg@2"] == again.json["sets"][name]["base"]["avg@2"]


def test_an_unknown_kind_of_fresh_questions_is_refused(call, refused):
    refused(call("eval", *OPTIONS, "--fresh", "generate"), 2, "Did you mean generated?", "gym:lcm")
