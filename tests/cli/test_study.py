"""`ttrl study` from its config to its report, on very small runs."""

import json
import shutil

import pytest

SMALL = ("--seeds", "0", "--arms", "random", "ttrl", "--steps", "2")


@pytest.fixture(scope="module")
def study(call, tiny, tmp_path_factory):
    """A finished study of two arms, and what it said."""
    out = tmp_path_factory.mktemp("study") / "study"
    outcome = call("study", *tiny, *SMALL, "--out", out)
    assert outcome.code == 0, outcome.err
    return out, outcome


def read(path):
    return json.loads(path.read_text("utf-8"))


def test_a_study_leaves_its_page_its_numbers_and_a_table(study):
    out, outcome = study
    assert (out / "report.html").stat().st_size > 10_000
    assert (out / "figure.svg").read_text("utf-8").startswith("<svg")
    assert "| unlabeled (2) | TTRL |" in (out / "results.md").read_text("utf-8")
    result = read(out / "study.json")
    assert result["seeds"] == [0] and result["failed"] == {}
    assert {(row["arm"], row["set"]) for row in result["rows"]} == {
        (arm, name)
        for arm in ("ttrl", "random")
        for name in ("unlabeled", "heldout", "out_of_prior")
    }
    assert result["quote"] in outcome.out
    assert "One seed" in outcome.out
    assert not (out / "checkpoints").exists() and not (out / "evaluations").exists()


def test_all_arms_take_the_figures_of_one_evaluation_of_the_base(study):
    out, _ = study
    for name in ("unlabeled", "heldout", "out_of_prior"):
        base = read(out / "base-seed-0" / "evaluations" / f"base-{name}.json")
        assert base["cost"]["sampled_tokens"] > 0
        for arm in ("ttrl", "random"):
            run = out / "runs" / f"{arm}-seed-0"
            taken = read(run / "evaluations" / f"base-{name}.json")
            assert {**taken, "cost": base["cost"]} == base
            assert set(taken["cost"].values()) == {0}  # it was paid once


def test_the_runs_are_plain_runs_with_their_rewards(study, folder_of):
    out, _ = study
    rewards = {"ttrl": "agreement", "random": "random"}
    for arm, reward in rewards.items():
        run = folder_of(out / "runs" / f"{arm}-seed-0")
        assert run.result["reward"] == reward and run.result["steps"] == 2


def test_the_base_votes_with_the_tokens_of_training(study):
    out, _ = study
    base = read(out / "base-seed-0" / "result.json")["sets"]["unlabeled"]["base"]
    rows = (out / "runs" / "ttrl-seed-0" / "metrics.jsonl").read_text("utf-8").splitlines()
    tokens = sum(json.loads(row)["sample/tokens"] for row in rows)
    asked = 4  # of which 2 are evaluated
    samples = -int(-tokens // (asked * base["mean_tokens"]))
    evaluation = read(out / "equal-tokens-seed-0" / "evaluations" / "base-unlabeled.json")
    assert evaluation["sampling"]["samples"] == samples > 4
    assert not (out / "equal-tokens-seed-0" / "evaluations" / "base-heldout.json").exists()


def test_a_finished_study_goes_on_to_the_same_figures(study, call):
    out, _ = study
    before = read(out / "study.json")
    outcome = call("study", "--resume", out, "--jobs", "2")
    assert outcome.code == 0 and read(out / "study.json") == before


def test_a_study_makes_up_for_a_run_that_is_missing(study, call, tmp_path):
    out, _ = study
    copy = tmp_path / "study"
    shutil.copytree(out, copy)
    shutil.rmtree(copy / "runs" / "random-seed-0")
    before = read(out / "study.json")["rows"]
    assert call("study", "--resume", copy).code == 0
    assert read(copy / "study.json")["rows"] == before


def test_the_report_is_made_again_from_the_files(study, call):
    out, _ = study
    page = (out / "report.html").read_text("utf-8")
    (out / "report.html").unlink()
    assert call("report", out).code == 0
    assert (out / "report.html").read_text("utf-8") == page


def test_settings_are_not_changed_on_the_way(study, call):
    out, _ = study
    outcome = call("study", "--resume", out, "--steps", "9")
    assert outcome.code == 4 and "steps=2" in outcome.err
    assert call("study", "--resume", out, "--seeds", "0", "--steps", "2").code == 0  # repeated
    outcome = call("study", "--resume", out, "--seeds", "1")
    assert outcome.code == 4 and "started with seeds=(0,)" in outcome.err


def test_nothing_is_overwritten(study, call, tiny):
    out, _ = study
    outcome = call("study", *tiny, "--out", out)
    assert outcome.code == 2 and f"ttrl study --resume {out}" in outcome.err


def test_a_run_is_no_study_and_a_study_no_run(study, call):
    out, _ = study
    outcome = call("study", "--resume", out / "runs" / "ttrl-seed-0")
    assert outcome.code == 4 and "not made by `ttrl study`" in outcome.err
    outcome = call("train", "--resume", out)
    assert outcome.code == 4 and "Traceback" not in outcome.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (("--arms", "random"), "ttrl among them"),
        (("--seeds", "1", "1"), "each of them once"),
        (("--jobs", "0"), "jobs='0'"),
        (("--reward", "format"), "that of another arm"),
        (("--eval-sets", "heldout"), "Add unlabeled"),
        (("--eval-sets", "unlabeled", "nowhere"), "there are unlabeled, heldout"),
        (("--seed", "3"), "'--seed'"),
        (("--report-to", "none", "wandb"), "none"),
    ],
)
def test_bad_settings_end_with_2_before_anything_runs(call, tmp_path, options, told):
    outcome = call("study", *options, "--out", tmp_path / "study")
    assert outcome.code == 2 and told in outcome.err and "Traceback" not in outcome.err
    assert not (tmp_path / "study").exists()


def test_a_held_out_file_that_overlaps_is_refused_with_the_overlap(call, tmp_path):
    rows = [
        {"id": f"q{i}", "question": f"What is {i} + 1?", "answer": str(i + 1)} for i in range(4)
    ]
    questions, held = tmp_path / "q.jsonl", tmp_path / "h.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    held.write_text(json.dumps({**rows[2], "id": "again"}) + "\n", "utf-8")
    outcome = call(
        "study", "--questions", questions, "--holdout", held, "--out", tmp_path / "study"
    )
    assert outcome.code == 3 and "again" in outcome.err
    assert not (tmp_path / "study").exists()


def test_a_dry_run_lists_the_runs_and_writes_nothing(call, tmp_path):
    outcome = call("study", "--seeds", "0", "1", "--out", tmp_path / "study", "--dry-run")
    assert outcome.code == 0
    assert "ttrl, leakage, random, format x seeds 0, 1 = 8 runs" in outcome.out
    assert not (tmp_path / "study").exists()


def test_a_dry_run_of_a_study_that_goes_on_changes_nothing(study, call, snapshot):
    out, _ = study
    before = snapshot(out)
    outcome = call("study", "--resume", out, "--jobs", "2", "--dry-run")
    assert outcome.code == 0, outcome.err
    assert "ttrl, random x seeds 0 = 2 runs, 2 at a time" in outcome.out
    assert snapshot(out) == before


def test_without_answers_the_study_says_what_needs_them(call, tmp_path):
    rows = [{"question": f"Tom has {i} apples. He buys {i} on Monday. How many?"} for i in (3, 7)]
    questions = tmp_path / "q.jsonl"
    questions.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    out = tmp_path / "study"
    outcome = call(
        "study", "--questions", questions, "--seeds", "0", "--arms", "ttrl", "leakage", "--steps", "1",
        "--votes-per-question", "4", "--trained-per-question", "4", "--samples", "2", "--out", out,
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    assert "no answers (--answers names them): the arm leakage" in outcome.err
    assert "need labels" in read(out / "study.json")["quote"]
    assert "Accuracy needs labels" in (out / "report.html").read_text("utf-8")
    assert not (out / "equal-tokens-seed-0").exists()


def test_copies_whose_answers_nobody_knows_leave_out_what_trains_on_answers(call, tmp_path):
    outcome = call(
        "study", "--augment", "perturbed", "--limit", "8", "--dry-run", "--out", tmp_path / "s"
    )
    assert outcome.code == 0, outcome.err
    assert "nobody knows the answers of copies: the arm leakage" in outcome.err + outcome.out


def test_a_run_that_fails_is_named_and_the_others_are_reported(study, call, tmp_path):
    out, _ = study
    copy = tmp_path / "study"
    shutil.copytree(out, copy)
    in_the_way = copy / "runs" / "random-seed-0"
    shutil.rmtree(in_the_way)
    in_the_way.mkdir()
    (in_the_way / "notes.txt").write_text("mine", "utf-8")
    outcome = call("study", "--resume", copy)
    assert outcome.code == 2 and "never overwritten" in outcome.err
    assert "Traceback" not in outcome.err
    result = read(copy / "study.json")
    assert list(result["failed"]) == ["random-seed-0"]
    assert {row["arm"] for row in result["rows"]} == {"ttrl"}
    assert "random-seed-0 did not end" in (copy / "report.html").read_text("utf-8")
    assert (in_the_way / "notes.txt").read_text("utf-8") == "mine"


def test_half_made_folders_of_killed_runs_are_made_anew(study, call, tmp_path):
    out, _ = study
    copy = tmp_path / "study"
    shutil.copytree(out, copy)
    (copy / "base-seed-0" / "result.json").unlink()
    run = copy / "runs" / "random-seed-0"
    shutil.rmtree(run)
    (run / "checkpoints").mkdir(parents=True)
    (run / "config.yaml").write_text("steps: 2\n", "utf-8")
    assert call("study", "--resume", copy).code == 0
    assert read(copy / "study.json")["rows"] == read(out / "study.json")["rows"]


def test_seeds_whose_questions_differ_are_not_pooled(study, call, tmp_path):
    out, _ = study
    copy = tmp_path / "study"
    shutil.copytree(out, copy)
    manifest = read(copy / "manifest.json")
    manifest["settings"]["seeds"] = [0, 1]
    (copy / "manifest.json").write_text(json.dumps(manifest), "utf-8")
    shutil.copytree(copy / "base-seed-0", copy / "base-seed-1")
    other = read(copy / "base-seed-1" / "manifest.json")
    other["inputs"]["questions"] = "changed"
    (copy / "base-seed-1" / "manifest.json").write_text(json.dumps(other), "utf-8")
    outcome = call("study", "--resume", copy)
    assert outcome.code == 3 and "the questions have changed" in outcome.err


def test_a_seed_for_all_runs_is_refused_wherever_it_is_said(call, tmp_path):
    outcome = call("study", "--out", tmp_path / "s", env={"TTRL_SEED": "3"})
    assert outcome.code == 2 and "seed cannot be set here" in outcome.err
    assert not (tmp_path / "s").exists()
