"""The rules study: its arms, the order of its runs, its arithmetic and its page."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from ttrl.cli.main import main as command
from ttrl.config import RunConfig
from ttrl.interval import Interval

ROOT = Path(__file__).parent.parent


@pytest.fixture
def study(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The command, whose calls of `ttrl` run in this process and are noted in `study.calls`."""
    monkeypatch.syspath_prepend(str(ROOT / "recipes"))
    module: Any = importlib.import_module("rules")
    calls: list[list[str]] = []

    def ttrl(arguments: Sequence[str], *, done: Path) -> None:
        if not done.exists():
            calls.append(list(arguments))
            if code := command(list(arguments)):
                raise SystemExit(f"Traceback\nexit code {code}\n")

    monkeypatch.setattr(module, "ttrl", ttrl)
    monkeypatch.setattr(module, "calls", calls, raising=False)
    return module


@pytest.fixture
def arms(study: ModuleType) -> ModuleType:
    return importlib.import_module("rules_arms")


@pytest.fixture
def results(study: ModuleType) -> ModuleType:
    return importlib.import_module("rules_results")


def test_every_arm_samples_64_completions_on_a_question_and_trains_on_32(arms: ModuleType) -> None:
    for arm in arms.ARMS.values():
        settings = arm.settings()
        sampled_elsewhere = set(settings["label_votes"]) - {"visits"}
        further = settings["further_votes"] * len(sampled_elsewhere)
        assert settings["votes_per_question"] + further == 64, arm.name
        assert settings["trained_per_question"] == 32
        assert RunConfig(**settings).learning_rate == 1e-4


def test_no_arm_can_end_before_its_last_step(arms: ModuleType) -> None:
    for arm in arms.ARMS.values():
        settings = arm.settings()
        assert settings["guard"] == "off" and settings["keep"] == "last"
        assert settings["stop_after_silent_steps"] > settings["steps"]


def test_claims_are_about_arms(arms: ModuleType) -> None:
    assert {name for claim in arms.CLAIMS for name in (claim.first, claim.second)} <= set(arms.ARMS)


def test_runs_go_base_by_base_and_seed_by_seed(
    study: ModuleType, tmp_path: Path, monkeypatch
) -> None:
    begun = []
    monkeypatch.setattr(
        study.Trial, "train", lambda t: begun.append((t.base.number, t.seed, t.arm.name))
    )
    options = ["--models", "a", "b", "--seeds", "0", "1", "--arms", "majority", "soft", "--docs"]
    study.main(["--out", str(tmp_path / "runs"), *options, str(tmp_path)])
    order = [(b, s, a) for b in (0, 1) for s in (0, 1) for a in ("majority", "soft")]
    assert begun == order
    begun.clear()
    study.main(["--out", str(tmp_path / "runs"), *options, str(tmp_path), "--hours", "0"])
    assert begun == []


def test_an_arm_that_fails_is_left_out_by_name_and_the_others_go_on(
    study: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = []

    def train(trial: Any) -> None:
        begun.append((trial.arm.name, trial.seed))
        if trial.arm.name == "soft":
            raise SystemExit("a command\nsoft: it does not work\n\n")

    monkeypatch.setattr(study.Trial, "train", train)
    options = ["--models", "a", "--seeds", "0", "1", "--arms", "soft", "majority", "--docs"]
    study.main(["--out", str(tmp_path / "runs"), *options, str(tmp_path)])
    assert begun == [("soft", 0), ("majority", 0), ("majority", 1)]
    page = (tmp_path / "rules-study.md").read_text("utf-8")
    assert "- soft on base 0 was left out: soft: it does not work" in page


def test_the_next_sibling_is_the_peer_if_it_is_there(study: ModuleType, tmp_path: Path) -> None:
    there, missing = tmp_path / "there", tmp_path / "missing"
    there.mkdir()
    models = ["ttrl-tiny", str(there), str(missing)]
    assert [base.peer for base in study.bases_of(models, [0, 1, 2])] == [
        str(there), None, "ttrl-tiny",
    ]  # fmt: skip
    assert [base.peer for base in study.bases_of(["ttrl-tiny"], [0])] == [None]


def test_half_widths_of_bases_add_by_squares(results: ModuleType) -> None:
    first = Interval(value=0.1, low=-0.2, high=0.4, seeds=3)
    second = Interval(value=0.3, low=-0.1, high=0.6, seeds=2)
    found = results.over_bases([first, None, second])
    assert found.value == pytest.approx(0.2) and found.seeds == 2
    assert found.bounds == pytest.approx((0.2 - 0.25, 0.2 + 0.25))  # sqrt(0.3^2 + 0.4^2) / 2
    assert results.over_bases([None, first]) == first
    assert results.over_bases([None]) is None


def test_figures_of_a_row_are_means_over_its_runs(arms: ModuleType, results: ModuleType) -> None:
    runs = [
        SimpleNamespace(
            records=[
                {"step": s, "labels/label_accuracy": float(s > 10), "sample/tokens": 4.0,
                 "sample/further_tokens": 1.0, "sample/base_tokens": 1.0, "sample/seconds": 2,
                 "train/seconds": seconds}
                for s in range(1, 21)
            ]
        )
        for seconds in (1.0, 3.0)
    ]  # fmt: skip
    row = results.Row(arm=arms.ARMS["soft"], runs=runs, trained=None, held=None)
    assert row.label_accuracy == (0.5, 1.0)
    assert row.tokens == 100 and row.seconds == 20 * 2 + (20 + 60) / 2


def test_an_arm_with_other_tokens_is_named(study: ModuleType) -> None:
    unequal = importlib.import_module("rules_findings")._unequal
    rows = {"majority": 2.0e6, "soft": 1.92e6, "peer": 1.88e6, "teacher": 2.4e6}
    found = unequal({name: SimpleNamespace(tokens=each) for name, each in rows.items()})
    assert found == "peer 1.88, teacher 2.40, where the majority has 2.00"
    assert unequal({"soft": SimpleNamespace(tokens=1.0)}) == ""


def test_a_published_difference_is_compared_by_its_sign(
    arms: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = importlib.import_module("rules_page")._reading
    above, below = (Interval(value=v, low=v - 0.1, high=v + 0.1, seeds=2) for v in (0.2, -0.2))

    def read(points: tuple[float, ...], ours: Interval | None) -> str:
        claim = arms.Claim(first="soft", points=points, where="", source="")
        found: str = reading(claim, ours)
        return found

    assert read((2.0, 0.6), above) == read((-1.0,), below) == "the same here"
    assert read((2.0,), below) == read((-1.0,), above) == "the opposite here"
    assert (
        read((0.4,), above) == read((2.0, -1.0), above) == "higher here; published figures differ"
    )
    assert read((2.0,), Interval(value=0.1, low=-0.1, high=0.3, seeds=2)) == "unclear here"
    assert read((2.0,), Interval(value=0.2, low=0.1, high=0.3, seeds=1)) == "one seed only"
    assert read((2.0,), None) == "not run"


def test_a_study_is_gone_on_with_and_its_page_says_what_is_missing(
    study: ModuleType, tmp_path: Path
) -> None:
    options = ["--out", str(tmp_path / "runs"), "--models", "ttrl-tiny", "--docs", str(tmp_path)]
    options += ["--arms", "majority", "random", "peer", "--smoke", "--seeds"]
    study.main([*options, "0"])
    assert [call[0] for call in study.calls] == ["eval", "train", "train"]
    study.calls.clear()
    study.main([*options, "0", "1"])
    assert [(call[0], call[4]) for call in study.calls] == [
        ("eval", "1"),
        ("train", "1"),
        ("train", "1"),
    ]
    page = (tmp_path / "rules-study.md").read_text("utf-8")
    assert "\n| majority | 2 |" in page and "\n| random − majority | −5.7 |" in page
    assert "majority, random: seeds 2, 3, 4; " in page
    assert "- peer on base 0 was left out: no sibling of the base is there to be its peer" in page
