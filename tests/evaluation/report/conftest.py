"""Pages as a reader meets them, and runs as a study finds them, written by hand."""

import json
from collections.abc import Callable, Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

VOID = {"meta", "link", "input", "br", "img", "hr"}
Counts = Sequence[int]


class Page(HTMLParser):
    """Which elements there are, which addresses they name, and whether they nest."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []
        self.handlers: list[str] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [v or "" for n, v in attrs if n in ("src", "href", "action", "srcset")]
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open[-1:] not in (["script"], ["style"]):
            self.text.append(data)


@pytest.fixture
def parsed() -> Callable[[str], Page]:
    """A page, taken apart."""
    return Page


class FakeStudy:
    """A study folder. Questions are q0, q1, ...; counts are right completions out of `samples`."""

    samples = 4

    def __init__(self, path: Path) -> None:
        self.path = path
        self.arms: list[str] = []
        self.seeds: list[int] = []

    def run(
        self,
        arm: str,
        seed: int,
        sets: dict[str, tuple[Counts, Counts]],
        *,
        labeled: bool = True,
        steps: Sequence[dict[str, float]] = (),
    ) -> Path:
        """One run with the number of right completions per question, before and after."""
        run = self.path / "runs" / f"{arm}-seed-{seed}"
        (run / "evaluations").mkdir(parents=True)
        result: dict[str, Any] = {"name": run.name, "model": "m", "seed": seed, "sets": {}}
        for name, pair in sets.items():
            result["sets"][name] = {}
            for when, counts in zip(("base", "final"), pair, strict=True):
                evaluation = self.evaluation(name, counts, labeled=labeled)
                result["sets"][name][when] = evaluation["metrics"]
                self._write(run / "evaluations" / f"{when}-{name}.json", evaluation)
        self._write(run / "result.json", result)
        rows = [{"step": step, **row} for step, row in enumerate(steps, start=1)]
        (run / "metrics.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows), "utf-8")
        (run / "config.yaml").write_text(f"seed: {seed}\n", "utf-8")
        self._write(run / "manifest.json", {"format": 1})
        self.arms = list(dict.fromkeys([*self.arms, arm]))
        self.seeds = list(dict.fromkeys([*self.seeds, seed]))
        self._write(
            self.path / "manifest.json",
            {"command": "study", "settings": {"arms": self.arms, "seeds": self.seeds}},
        )
        (self.path / "config.yaml").write_text("seed: 0\n", "utf-8")
        return run

    def evaluation(
        self, name: str, counts: Counts, *, labeled: bool = True, samples: int | None = None
    ) -> dict[str, Any]:
        """What `evaluations/` holds of a set; a vote is right if more than half of it is."""
        n = samples or self.samples
        records = [
            {
                "id": f"q{index}",
                "prompt": f"question {index}?",
                "answer": "1" if labeled else None,
                "correct": count if labeled else None,
                "vote_right": count > n / 2 if labeled else None,
                "right_class": 0 if labeled and count > n / 2 else None,
                "labels": ["1", "2"],
                "pseudo_label": "1" if count > n / 2 else "2",
                "counts": [max(count, n - count), min(count, n - count)],
                "other": 0,
                "abstained": 0,
                "level": None,
            }
            for index, count in enumerate(counts)
        ]
        metrics: dict[str, Any] = {
            "majority_ratio": 0.5,
            "no_answer_rate": 0.0,
            "entropy": 0.1,
            "mean_tokens": 10.0,
            "questions": len(counts),
            "labeled": len(counts) if labeled else 0,
        }
        if labeled:
            metrics |= {
                f"avg@{n}": sum(counts) / n / len(counts),
                f"maj@{n}": sum(count > n / 2 for count in counts) / len(counts),
                f"pass@{n}": sum(count > 0 for count in counts) / len(counts),
            }
        return {"set": name, "sampling": {"samples": n}, "metrics": metrics, "questions": records}

    def equal_tokens(self, seed: int, counts: Counts, *, samples: int) -> None:
        """The base's vote with more completions."""
        folder = self.path / f"equal-tokens-seed-{seed}"
        (folder / "evaluations").mkdir(parents=True)
        evaluation = self.evaluation("unlabeled", counts, samples=samples)
        self._write(folder / "evaluations" / "base-unlabeled.json", evaluation)
        self._write(folder / "result.json", {"sets": {}})

    @staticmethod
    def _write(path: Path, value: object) -> None:
        path.write_text(json.dumps(value), "utf-8")


@pytest.fixture
def study(tmp_path: Path) -> FakeStudy:
    return FakeStudy(tmp_path / "study")
