"""Opens the sources of further votes that a run asks for: its base, its teacher, its peer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ttrl.config import RunConfig
from ttrl.errors import CheckpointError, ModelError
from ttrl.recording.run_directory import RunDirectory
from ttrl.types import Question, Task

if TYPE_CHECKING:
    import torch

    from ttrl.engine.sampler import NativeSampler
    from ttrl.engine.teacher import Teacher
    from ttrl.runs.session import Session
    from ttrl.training.further import VoteSource

BASE_VOTES = "base_votes.json"
"""File of a run with the base's votes."""


def open_peer(
    config: RunConfig, questions: Sequence[Question], *, task: Task, device: torch.device
) -> NativeSampler | None:
    """Loads the peer with its own tokenizer and prompts; None if the run has none.

    Raises:
        ModelError: it cannot be loaded.
        DataError: questions that do not fit its context.
    """
    if config.peer is None:
        return None
    from ttrl.data.prompts import Prompter
    from ttrl.engine.models import find_model, load_model
    from ttrl.engine.sampler import NativeSampler

    loaded = load_model(find_model(config.peer), dtype=config.dtype, device=device)
    loaded.model.requires_grad_(False)
    prompter = Prompter(loaded.tokenizer, template=loaded.prompt_template, task=task)
    sampler = NativeSampler(loaded.model, loaded.tokenizer, prompter, max_rows=config.sampler_rows)
    try:
        sampler.encode(questions, max_tokens=config.max_tokens, name="peer")
    except ModelError as error:
        raise ModelError(f"peer {config.peer}: {error}") from None
    return sampler


def peer_fingerprint(config: RunConfig) -> str | None:
    """Returns the sha256 of the peer's files; None if the run has none."""
    from ttrl.engine.models import find_model

    return None if config.peer is None else find_model(config.peer).fingerprint()


def make_teacher(session: Session) -> Teacher | None:
    """Makes the teacher from the policy's weights; None if the run has none."""
    config = session.config
    if "teacher" not in config.label_votes:
        return None
    from ttrl.engine.teacher import Teacher

    return Teacher(session.model, decay=config.teacher_decay, steps=config.steps)


def open_sources(
    session: Session, directory: RunDirectory, *, teacher: Teacher | None, step: int
) -> list[VoteSource]:
    """Returns the sources of a run but its visits, which are part of its progress.

    Args:
        step: number of steps done.

    Raises:
        CheckpointError: the base's votes are gone and its weights are trained, or they are damaged.
    """
    from ttrl.training.sources import SampledVotes

    config, task = session.config, session.task
    sources: list[VoteSource] = []
    if "base" in config.label_votes:
        sources.append(_base_votes(session, directory, step=step))
    if teacher is not None:
        sources.append(_teacher_votes(session, teacher))
    if session.peer is not None:
        sources.append(SampledVotes("peer", session.peer, task=task, config=config))
    return sources


def asked_of_base(session: Session) -> list[Question]:
    """Returns the questions that the run will visit, each once; all of them if some may be replaced."""
    from ttrl.training.loop import questions_of_step

    config, questions = session.config, session.training.trained
    if config.refill_rounds:
        return list(questions)
    visited = {
        question.id
        for step in range(config.steps)
        for question in questions_of_step(questions, step=step, config=config)
    }
    return [question for question in questions if question.id in visited]


def _base_votes(session: Session, directory: RunDirectory, *, step: int) -> VoteSource:
    from ttrl.training.sources import BaseVotes

    config, questions = session.config, asked_of_base(session)
    written = directory.read_json(BASE_VOTES)
    file = str(directory.path / BASE_VOTES)
    if written is not None:
        return BaseVotes.from_json(written, questions, config=config, file=file)
    if step:
        raise CheckpointError(
            f"{file} is missing, and the weights are trained already: the base cannot vote any more. Put the "
            "file back, or start a new run."
        )
    votes = BaseVotes.drawn(questions, sampler=session.voter, task=session.task, config=config)
    directory.write_json(BASE_VOTES, votes.to_json())
    return votes


def _teacher_votes(session: Session, teacher: Teacher) -> VoteSource:
    from ttrl.engine.sampler import NativeSampler
    from ttrl.training.sources import SampledVotes

    class TeacherVotes(SampledVotes):
        """Votes of a model that follows the policy."""

        def after_update(self, *, step: int) -> None:
            teacher.follow(step=step)
            sampler.load_weights(teacher.model)

    config = session.config
    sampler = NativeSampler(
        teacher.model, session.tokenizer, session.prompter, max_rows=config.sampler_rows
    )
    return TeacherVotes("teacher", sampler, task=session.task, config=config)
