import re

import pytest

from ttrl import evaluate
from ttrl.answers.tasks import get_task
from ttrl.config import resolve
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import AnswerSheet
from ttrl.evaluation.views import view_majority
from ttrl.types import Completion, Group, Question, SamplingParams

LIST = "\n(A) red\n(B) blue\n(C) green\n(D) black"


def completion(id, text):
    return Completion(
        question_id=id, prompt_ids=(), token_ids=(), logprobs=(), entropy=(),
        finish_reason="stop", policy_version=0, text=text,
    )  # fmt: skip


class FirstLetter:
    """Likes the letter A, and knows that grass is green where it stands at B or C."""

    def __init__(self):
        self.asked = []

    def sample(self, questions, *, n, params, seed, first=0):
        self.asked += [(question.id, n) for question in questions]
        return [Group(question=q, completions=(self.say(q),) * n) for q in questions]

    def say(self, question):
        place = re.search(r"\(([A-D])\) green", question.prompt)[1]
        return completion(question.id, rf"\boxed{{{place if place in 'BC' else 'A'}}}")


def measured(sampler, prompts, *, samples, views="options", truth="C", **given):
    config = resolve({"task": "choice", "views": views, **given}, environment={}).values
    questions = [Question(id=str(i), prompt=prompt) for i, prompt in enumerate(prompts)]
    groups = [Group(question=q, completions=(sampler.say(q),) * samples) for q in questions]
    return view_majority(
        groups,
        None if truth is None else AnswerSheet(answers={q.id: truth for q in questions}),
        sampler=sampler,
        task=get_task("choice"),
        config=config,
        params=SamplingParams(),
        seed=0,
    )


def test_votes_are_spread_evenly_and_mapped_back():
    sampler = FirstLetter()
    # green stands at C, B, A and D: only the last is answered with another option
    found = measured(sampler, ["Grass is?" + LIST], samples=10, view_count="3")
    assert found.value == 1.0
    assert sorted(n for _, n in sampler.asked) == [2, 2, 3]  # and the question itself has 3


def test_a_liking_for_a_letter_elects_nothing_that_is_asked_in_rotations():
    class OnlyA(FirstLetter):
        def say(self, question):
            return completion(question.id, r"\boxed{A}")

    prompts = ["Grass is?" + LIST]
    assert measured(OnlyA(), prompts, samples=4, truth="A", view_count="3").value in (0.0, 1.0)
    # four answers have one vote each: which one wins is decided as every tie, and only one can
    wins = [measured(OnlyA(), prompts, samples=4, truth=t, view_count="3").value for t in "ABCD"]
    assert sum(wins) == 1.0


def test_a_question_without_a_view_has_its_plain_vote_and_none_is_drawn():
    sampler = FirstLetter()
    assert measured(sampler, ["Grass is? (A) red (B) blue (C) green"], samples=4).value == 1.0
    assert sampler.asked == []


def test_without_labels_there_is_nothing_to_measure():
    sampler = FirstLetter()
    assert measured(sampler, ["Grass is?" + LIST], samples=4, truth=None) is None
    assert sampler.asked == []


def test_only_view_maj_is_new_in_an_evaluation_with_views():
    given = {"limit": 4, "samples": 4, "max_tokens": 64, "eval_sets": "unlabeled", "device": "cpu"}
    plain = evaluate(**given).evaluations["unlabeled"]
    viewed = evaluate(views="facts", **given).evaluations["unlabeled"]
    assert plain.questions == viewed.questions and set(viewed.metrics.view_maj) == {4}
    assert plain.metrics.of("view_maj@4") is None and viewed.metrics.of("view_maj@4") is not None
    both = plain.metrics.to_json(), viewed.metrics.to_json()
    assert both[1].keys() - both[0].keys() == {"view_maj@4", "view_maj@4_ci"}
    assert all(both[1][key] == value for key, value in both[0].items())
    assert type(viewed.metrics).from_json(both[1]) == viewed.metrics


def test_similar_answers_are_refused_before_a_model_is_loaded():
    with pytest.raises(ConfigError, match="views=names in an evaluation with task=text"):
        evaluate(views="names", task="text", questions="there-is-none.jsonl")


def test_auto_is_for_training_and_adds_nothing_to_an_evaluation():
    given = {"limit": 2, "samples": 2, "eval_sets": ["unlabeled"]}
    plain, auto = (evaluate(**given, **more) for more in ({}, {"views": "auto"}))
    assert plain.evaluations["unlabeled"].metrics == auto.evaluations["unlabeled"].metrics
