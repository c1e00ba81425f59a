"""The overlay in TRL scripts that are not ours."""

import importlib.resources
import json
from difflib import SequenceMatcher
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
MODEL = str(importlib.resources.files("ttrl") / "embedded" / "ttrl-tiny")
SCRIPT = """
import json, sys
from datasets import Dataset
from transformers import AutoTokenizer
from trl import GRPOConfig, GRPOTrainer
from ttrl.errors import TtrlError
from ttrl.overlays.trl import Overlay

MODEL, given, chat = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3] == "chat"
problem = "Ida has {} eggs. She buys 7, uses 3, finds 6 and drops 5. How many eggs does she have now?\\n"
prompts = [problem.format(n) for n in range(4, 12)]
if chat:
    prompts = [[{"role": "user", "content": prompt}] for prompt in prompts]
dataset = Dataset.from_list([{"prompt": p, "answer": "9", "id": f"q{n}"} for n, p in enumerate(prompts)])
args = GRPOConfig(output_dir=given.pop("out"), max_steps=2, max_completion_length=64, temperature=1.3,
    bf16=False, use_cpu=True, logging_steps=1, save_strategy="no", report_to="none", disable_tqdm=True,
    **given)
try:
    ttrl = Overlay(args, dataset, votes_per_question=16)
except TtrlError as error:
    sys.exit(f"refused: {error}")
tokenizer = AutoTokenizer.from_pretrained(MODEL)
if chat:
    tokenizer.chat_template = "{% for m in messages %}{{ m['content'] }}{% endfor %}"
kept = []
def watched(prompts, trainer):
    rows = ttrl.rollout(prompts, trainer)
    kept.append((prompts, rows))
    return rows
others = None
if args.do_eval:
    asked = prompts[:5] + [problem.format(n) for n in (20, 30, 40)]
    others = Dataset.from_list([{"prompt": prompt} for prompt in asked])
trainer = GRPOTrainer(MODEL, args=args, processing_class=tokenizer, train_dataset=ttrl.dataset,
    eval_dataset=others, reward_funcs=ttrl.reward, rollout_func=watched)
trainer.train()
asked, rows = kept[0]
text = asked[0][0]["content"] if chat else asked[0]
found = {
    "columns": ttrl.dataset.column_names, "asked": len(asked), "rewards": rows["ttrl_reward"],
    "rows": len(rows["completion_ids"]),
    "length": len(rows["prompt_ids"][0]), "tokens": len(tokenizer(text)["input_ids"]),
    "logs": [log for log in trainer.state.log_history if "loss" in log],
    "evaluations": [log for log in trainer.state.log_history if "eval_loss" in log],
}
if args.process_index == 0:
    print("FOUND " + json.dumps(found))
"""


@pytest.fixture
def script(tmp_path, command):
    """`script(kind, processes, **GRPOConfig)`: what it found, or how it was refused."""
    path = tmp_path / "script.py"
    path.write_text(SCRIPT, "utf-8")

    def run(kind="text", *, processes=1, **arguments):
        given = json.dumps({"out": str(tmp_path / "out"), **arguments})
        outcome = command(path, MODEL, given, kind, processes=processes)
        lines = [line for line in outcome.out.splitlines() if line.startswith("FOUND ")]
        return (json.loads(lines[-1][6:]) if lines else None), outcome

    return run


def test_a_trl_script_gets_votes_by_five_changed_lines() -> None:
    before, after = (
        [
            line
            for line in (EXAMPLES / name).read_text("utf-8").split('"""', 2)[2].splitlines()
            if line
        ]
        for name in ("04_trl_before.py", "05_trl_with_ttrl.py")
    )
    changes = SequenceMatcher(a=before, b=after, autojunk=False).get_opcodes()
    new = [line for kind, _, _, low, high in changes if kind != "equal" for line in after[low:high]]
    assert len(new) <= 5, new


@pytest.mark.parametrize("name", ["04_trl_before.py", "05_trl_with_ttrl.py"])
def test_both_scripts_run(name, command) -> None:
    outcome = command(EXAMPLES / name, MODEL, 2)
    assert outcome.code == 0, outcome.err
    assert ("consensus/majority_ratio" in outcome.out) == (name == "05_trl_with_ttrl.py")


@pytest.mark.parametrize(("kind", "processes"), [("text", 1), ("chat", 1), ("text", 2)])
def test_m_votes_k_trained_labels_left_out_and_metrics_logged(kind, processes, script) -> None:
    found, outcome = script(
        kind,
        processes=processes,
        per_device_train_batch_size=4,
        gradient_accumulation_steps=4,
        num_generations=8,
    )
    assert found is not None, outcome.err
    assert "left out of training: answer" in outcome.err
    assert found["columns"] == ["prompt", "id"]
    assert found["asked"] == found["rows"] == 16  # two questions of eight on each process
    assert found["length"] == found["tokens"]
    for log in found["logs"]:
        assert {"consensus/majority_ratio", "reward/groups_with_signal"} <= log.keys()
        assert (
            log["sample/tokens"] > 2 * processes * 16
        )  # of 16 votes, not of the 8 that are trained on
    mean = sum(found["rewards"]) / 16
    assert 0 <= mean <= 1 and set(found["rewards"]) <= {0.0, 1.0}
    if processes == 1:
        assert found["logs"][0]["rewards/reward/mean"] == pytest.approx(mean)


@pytest.mark.parametrize("processes", [1, 2])
def test_an_evaluation_set_is_voted_on_in_whole_groups(processes, script) -> None:
    """Eight questions, five that training knows and three that it does not: batches of three."""
    found, outcome = script(
        processes=processes,
        per_device_train_batch_size=8,
        gradient_accumulation_steps=2,
        num_generations=8,
        num_generations_eval=4,
        per_device_eval_batch_size=12,
        eval_strategy="steps",
        eval_steps=1,
    )
    assert found is not None, outcome.err
    assert len(found["evaluations"]) == 2
    for log in found["evaluations"]:
        assert 0 < log["eval_rewards/reward/mean"] <= 1
        assert not any("consensus" in key for key in log)
    assert [log["step"] for log in found["logs"]] == [1, 2]


def test_an_evaluation_that_would_split_groups_is_refused_before_a_model_loads(script) -> None:
    found, outcome = script(
        processes=2,
        per_device_train_batch_size=8,
        num_generations=8,
        per_device_eval_batch_size=4,  # of both processes 8, which TRL takes
        eval_strategy="epoch",
    )
    assert found is None and "Set per_device_eval_batch_size=8." in outcome.err


def test_groups_that_would_be_split_over_processes_are_refused_with_numbers_that_fit(
    script,
) -> None:
    wrong = {
        "per_device_train_batch_size": 12,
        "gradient_accumulation_steps": 1,
        "num_generations": 8,
    }
    found, outcome = script(processes=2, **wrong)
    assert found is None and outcome.code != 0
    assert "refused: per_device_train_batch_size=12 x steps_per_generation=1" in outcome.err
    assert "steps_per_generation=2 fits" in outcome.err
    right, outcome = script(processes=2, **{**wrong, "gradient_accumulation_steps": 2})
    assert right is not None, outcome.err
