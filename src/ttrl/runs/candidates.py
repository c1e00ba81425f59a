"""The candidates of `keep: best`: their weights, what each answers, and the choice at the end.

candidates/step-000020/   weights alone, of the best one so far
keep.jsonl                what each candidate answered
keep.json                 the choice (`ttrl.recording.kept`)
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from ttrl.consensus.choice import Score, score_of
from ttrl.errors import CheckpointError
from ttrl.recording.kept import FILE, KeptCheckpoint, read_kept
from ttrl.recording.run_directory import RunDirectory
from ttrl.training.candidates import answers_to, questions_to_ask

if TYPE_CHECKING:
    from ttrl.consensus.choice import Answers
    from ttrl.runs.session import Session

ROWS = "keep.jsonl"


class Candidates:
    """The candidates of one run. All that it knows is on disk, so a run that goes on chooses the same."""

    def __init__(self, directory: RunDirectory, session: Session) -> None:
        self._directory = directory
        self._folder = directory.path / "candidates"
        self._task = session.task
        known = [question for each in session.sets for question in each.trained]
        self._asked = questions_to_ask(session.training.questions, known, session.config)

    def add(self, session: Session, *, step: int, state: Mapping[str, Any]) -> None:
        """Saves the weights as they are after this step and asks them, unless that is done already.

        Raises:
            CheckpointError: something cannot be written.
        """
        from ttrl.engine.checkpoint import save_candidate

        if step in self._answers():
            return
        save_candidate(
            self._folder,
            step=step,
            model=session.model,
            tokenizer=session.tokenizer,
            state=state,
            prompt_template=session.prompt_template,
        )
        answers = answers_to(
            self._asked, sampler=session.sampler, task=session.task, config=session.config
        )
        self._directory.append(ROWS, [{"step": step, "answers": answers}])
        self._let_go_of_all_but(self._best(self._scores()))

    def choose(self, *, last: int) -> KeptCheckpoint:
        """Returns the choice, made once, and lets the weights of all other candidates go.

        Args:
            last: the step of the run's last checkpoint, whose folder stays in any case.

        Raises:
            CheckpointError: keep.json cannot be read or written, or no candidate is left.
        """
        kept = read_kept(self._directory)
        if kept is None:
            scores = self._scores()
            step = self._best(scores)
            folder = "checkpoints" if step == last else "candidates"
            kept = KeptCheckpoint(
                step=step,
                folder=f"{folder}/{_name(step)}",
                scores=tuple((each, s.base, s.itself, s.value) for each, s in scores.items()),
            )
            self._directory.write_json(FILE, kept.to_json())
        self._let_go_of_all_but(kept.step if kept.folder.startswith("candidates/") else None)
        return kept

    def _best(self, scores: Mapping[int, Score]) -> int:
        """Of equal scores the latest step. Weights that are gone already had a lower one."""
        saved = {int(path.name.removeprefix("step-")) for path in self._folder.glob("step-*")}
        left = [step for step in scores if step in saved]
        if not left:
            raise CheckpointError(
                f"{self._folder}: no candidate is left, so keep=best has nothing to choose from. Put the "
                "folder back, or start a new run."
            )
        return max(left, key=lambda step: (scores[step].value, step))

    def _scores(self) -> dict[int, Score]:
        """By step, in their order."""
        answers = self._answers()
        if 0 not in answers:
            raise CheckpointError(
                f"{self._directory.path / ROWS}: the base's answers are missing, so keep=best cannot "
                "compare. Restore the file, or start a new run."
            )
        score = partial(score_of, base=answers[0], questions=self._asked, task=self._task)
        return {step: score(each) for step, each in answers.items()}

    def _answers(self) -> dict[int, Answers]:
        path = self._directory.path / ROWS
        if not path.exists():
            return {}
        try:
            rows = [json.loads(line) for line in path.read_text("utf-8").split("\n") if line]
            found = {int(row["step"]): tuple(map(tuple, row["answers"])) for row in rows}
            if any(len(each) != len(self._asked) for each in found.values()):
                raise ValueError("answers to other questions")
        except (ValueError, TypeError, KeyError) as error:
            raise CheckpointError(
                f"{path} is damaged ({error}), so keep=best cannot choose. Restore it, or start a new run."
            ) from None
        return found

    def _let_go_of_all_but(self, kept: int | None) -> None:
        for path in self._folder.glob("step-*"):
            if kept is None or path.name != _name(kept):
                shutil.rmtree(path)


def _name(step: int) -> str:
    return f"step-{step:06d}"
