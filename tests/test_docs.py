"""The documentation says what the code does: keys, references, links and option names."""

import ast
import json
import re
from pathlib import Path
from typing import Any

import pytest

from ttrl.cli.main import main
from ttrl.config import key_names

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "ttrl"
METRICS = (ROOT / "docs" / "metrics.md").read_text("utf-8")
ALGORITHM = (ROOT / "docs" / "algorithm.md").read_text("utf-8")

AREA_NAME = re.compile(r"[a-z_]+/[a-z_]+")
REFERENCE = re.compile(r"`([\w/]+\.py):([\w.]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")

OPTIONS_OF_THE_MAIN_LIST = (
    "model",
    "questions",
    "question-column",
    "answers",
    "holdout",
    "task",
    "algorithm",
    "reward",
    "steps",
    "questions-per-step",
    "votes-per-question",
    "trained-per-question",
    "temperature",
    "max-tokens",
    "samples",
    "lora",
    "dtype",
    "device",
    "seed",
    "config",
    "out",
    "resume",
    "dry-run",
    "json",
)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two steps over the same questions, so that labels can flip, with KL and with answers.

    The problems are hard for the model, so votes disagree and there is something to learn.
    """
    out = tmp_path_factory.mktemp("docs") / "run"
    options = (
        "--steps 2 --limit 4 --questions-per-step 4 --difficulty 7 --votes-per-question 8 "
        "--trained-per-question 8 --samples 2 --kl-coefficient 0.001 --device cpu --out"
    )
    assert main(["train", *options.split(), str(out)]) == 0
    return out


def documented() -> set[str]:
    """The keys in the first column of the tables of docs/metrics.md but the published ones."""
    ours = METRICS.partition("## How the published names relate")[0]
    cells = re.findall(r"^\| (`[^|]*) \|", ours, flags=re.MULTILINE)
    return {key for cell in cells for key in re.findall(r"`([^`]+)`", cell)}


def area_name_keys_in_the_source() -> set[str]:
    """Keys that the package puts into a dict, written as {"a/b": ...} or d["a/b"] = ..."""
    found = set()
    for path in SOURCE.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            keys: list[ast.expr | None] = []
            if isinstance(node, ast.Dict):
                keys = node.keys
            elif isinstance(node, ast.Subscript) and isinstance(node.ctx, ast.Store):
                keys = [node.slice]
            values = {key.value for key in keys if isinstance(key, ast.Constant)}
            found |= {v for v in values if isinstance(v, str) and AREA_NAME.fullmatch(v)}
    return found


def json_lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_every_recorded_metric_is_documented(run: Path) -> None:
    rows = json_lines(run / "metrics.jsonl")
    recorded = set().union(*rows)
    assert {"train/kl", "labels/label_accuracy", "consensus/flip_rate"} <= recorded
    assert recorded - documented() == set()


def test_documented_metrics_are_those_that_the_source_can_record() -> None:
    keys = {key for key in documented() if AREA_NAME.fullmatch(key)}
    assert keys == area_name_keys_in_the_source()


def test_metrics_of_a_step_without_an_update_are_documented() -> None:
    assert "skipped" in documented()


def test_every_key_of_votes_result_and_evaluations_is_documented(run: Path) -> None:
    result = json.loads((run / "result.json").read_text("utf-8"))
    blocks = [block for pair in result["sets"].values() for block in pair.values()]
    keys = set(result).union(*blocks, *json_lines(run / "votes.jsonl"))
    for key in keys:
        name, at, rest = key.partition("@")
        letter = "n" if name == "maj" else "k"
        spelled = f"{name}@{letter}{rest.lstrip('0123456789')}" if at else key
        assert spelled in documented(), key


def test_every_key_of_an_evaluation_is_documented(run: Path) -> None:
    files = sorted((run / "evaluations").glob("*.json"))
    assert len(files) == 6
    for file in files:
        found = json.loads(file.read_text("utf-8"))
        keys = set(found).union(found["curves"], *found["questions"], found["cost"])
        assert keys - documented() == set()


@pytest.mark.parametrize(("page", "least"), [(ALGORITHM, 20), (METRICS, 4)])
def test_every_reference_of_the_algorithm_and_metrics_pages_exists(page: str, least: int) -> None:
    references = REFERENCE.findall(page)
    assert len(references) >= least
    for file, name in references:
        body: list[ast.stmt] = ast.parse((SOURCE / file).read_text("utf-8")).body
        for part in name.split("."):
            found = [statement for statement in body if part in names_of(statement)]
            assert found, f"{file}:{name}"
            body = getattr(found[0], "body", [])


def names_of(statement: ast.stmt) -> set[str]:
    """What a statement defines: a function, a class, a field or a constant."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return {statement.name}
    if isinstance(statement, ast.AnnAssign):
        return {ast.unparse(statement.target)}
    if isinstance(statement, ast.Assign):
        return {ast.unparse(target) for target in statement.targets}
    return set()


PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "CHANGELOG.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_relative_link_points_to_a_file(page: Path) -> None:
    if not page.exists():
        pytest.skip(f"{page.name} is not there")
    for target in LINK.findall(page.read_text("utf-8")):
        if not target.startswith(("https://", "http://", "mailto:", "#")):
            assert (page.parent / target.partition("#")[0]).exists(), target


def test_every_option_of_the_main_list_is_a_key_of_the_config() -> None:
    assert {option.replace("-", "_") for option in OPTIONS_OF_THE_MAIN_LIST} <= set(key_names())


def test_every_key_of_the_paper_preset_is_a_key_of_the_config(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert main(["config", "--config", "paper"]) == 0
    assert re.search(r"^votes_per_question: 64 +# paper$", capsys.readouterr().out, re.MULTILINE)
