"""Votes on views: K on the question, the others on its views, mapped back, and no vote more."""

from contextlib import nullcontext

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig, resolve
from ttrl.consensus.rules import make_rule
from ttrl.errors import ConfigError
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.training import view_votes
from ttrl.training.further import draw
from ttrl.training.loop import Progress, train
from ttrl.types import Question, View

TASK = get_task("math")


class StreamSampler:
    """Answers every question with its id's answer, and remembers what was asked for."""

    def __init__(self, make_group, answer):
        self.make_group, self.answer, self.calls = make_group, answer, []

    def sample(self, questions, *, n, params, seed, first=0):
        self.calls.append(([q.id for q in questions], n, params.temperature, seed))
        return [
            self.make_group([self.answer(q.id, i) for i in range(first, first + n)], id=q.id)
            for q in questions
        ]

    def load_weights(self, model):
        pass


class FakeLearner:
    model = None

    def __init__(self):
        self.updates = []

    def begin_step(self, rate_share):
        pass

    def update(self, samples, algorithm):
        self.updates.append(samples)
        return {"train/tokens": 5.0, "train/samples": 1.0, "train/distinct_samples": 1.0}


@pytest.fixture
def doubled(monkeypatch):
    """Views whose answer is ten times that of the question; `x` has none, others have three."""
    seeds = []

    def views_of(question, *, task, names, count, seed):
        seeds.append(seed)
        found = 0 if question.id == "x" else min(3, count)
        return [
            View(
                question=Question(id=f"{question.id}~v{i + 1}", prompt="!"),
                restore=lambda a: a[:-1] if a.endswith("0") else None,
            )
            for i in range(found)
        ]

    monkeypatch.setattr(view_votes, "views_of", views_of)
    return seeds


def config(**settings):
    wanted = {"votes_per_question": 10, "trained_per_question": 3, "views": ("facts",), "steps": 1}
    return RunConfig(**wanted | settings)


def answer(id, i):
    return rf"\boxed{{{70 if '~' in id else 7}}}"


def test_the_question_is_asked_k_times_and_its_views_evenly_the_rest(make_group, doubled):
    sampler = StreamSampler(make_group, answer)
    questions = [Question(id=id, prompt="?") for id in "axb"]
    drawn = draw(
        questions, sampler=sampler, task=TASK, config=config(label_temperature=1.5), step=4
    )
    assert [len(g.completions) for g in drawn.groups] == [3, 10, 3]
    assert [g.question.id for g in drawn.groups] == ["a", "x", "b"]
    # 7 votes on 3 views: 3, 2, 2; one call for each number, and one temperature for each kind
    assert [(ids, n, t) for ids, n, t, _ in sampler.calls] == [
        (["a", "b"], 3, 1.0),
        (["x"], 10, 1.0),
        (["a~v2", "a~v3", "b~v2", "b~v3"], 2, 1.5),
        (["a~v1", "b~v1"], 3, 1.5),
    ]
    (first,), nothing, (second,) = drawn.further
    assert nothing == () and first == second
    assert first.source == "views" and first.answers == ("7",) * 7 and first.weights == (1.0,) * 7
    tokens = len(r"\boxed{70}") + 1
    assert drawn.tokens == {
        "sample/further_tokens": 14 * tokens,
        "sample/views_tokens": 14 * tokens,
    }


def test_views_and_their_random_numbers_differ_from_step_to_step(make_group, doubled):
    sampler = StreamSampler(make_group, answer)
    for step in (0, 1, 0):
        draw([Question(id="a", prompt="?")], sampler=sampler, task=TASK, config=config(), step=step)
    first, second, again = doubled
    assert first == again != second
    seeds = [seed for ids, *_, seed in sampler.calls if ids == ["a~v1"]]
    assert seeds[0] == seeds[2] != seeds[1]


def test_an_answer_that_cannot_be_mapped_back_abstains(make_group, doubled):
    script = {"a~v1": [r"\boxed{70}", r"\boxed{7}", "nothing"], "a": [r"\boxed{7}"] * 3}
    sampler = StreamSampler(make_group, lambda id, i: script.get(id, script["a~v1"])[i])
    settings = config(votes_per_question=6, view_count=1)
    drawn = draw(
        [Question(id="a", prompt="?")], sampler=sampler, task=TASK, config=settings, step=0
    )
    assert drawn.further[0][0].answers == ("7", None, None)


def test_there_are_at_most_as_many_views_as_votes_for_them(make_group, doubled):
    sampler = StreamSampler(make_group, answer)
    settings = config(votes_per_question=5)
    draw([Question(id="a", prompt="?")], sampler=sampler, task=TASK, config=settings, step=0)
    assert [(ids, n) for ids, n, *_ in sampler.calls] == [(["a"], 3), (["a~v1", "a~v2"], 1)]


def test_views_outvote_a_group_and_their_completions_are_not_trained_on(make_group, doubled):
    def two_minds(id, i):
        return r"\boxed{80}" if "~" in id else (r"\boxed{7}", r"\boxed{7}", r"\boxed{8}")[i % 3]

    learner, settings = FakeLearner(), config()
    (report,) = train(
        [Question(id="a", prompt="?")],
        config=settings,
        sampler=StreamSampler(make_group, two_minds),
        learner=learner,
        algorithm=make_algorithm(settings),
        task=TASK,
        rule=make_rule(settings),
        progress=Progress(),
        uninterrupted=nullcontext(),
    )
    (vote,) = report.votes
    assert vote["label"] == "8" and vote["counts"] == [8, 2] and vote["majority_ratio"] == 0.8
    assert vote["further"] == {"views": 7} and vote["support"] == [8, 2] and vote["voters"] == 10
    assert report.metrics["reward/mean"] == pytest.approx(1 / 3)
    assert report.metrics["sample/further_tokens"] == 7 * (len(r"\boxed{80}") + 1)
    assert report.metrics["sample/tokens"] == 3 * (len(r"\boxed{8}") + 1)
    trained = [sample.completion for sample in learner.updates[0]]
    assert {c.question_id for c in trained} == {"a"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"views": "facts", "trained_per_question": 64},
            "views=facts with trained_per_question=64",
        ),
        ({"views": "facts", "votes": "adaptive"}, "views=facts with votes=adaptive"),
        ({"views": "facts", "trained_choice": "spread"}, "trained_choice=spread"),
        ({"label_votes": "base", "votes": "adaptive"}, "label_votes=base with votes=adaptive"),
        ({"label_votes": "bse"}, "Did you mean base"),
        (
            {"label_votes": "base,visits,base"},
            "label_votes=base,visits,base: a name stands there twice",
        ),
        ({"views": ["names", "names"]}, "views=names,names: a name stands there twice"),
        ({"label_votes": "peer"}, "peer=None: a peer needs both"),
        ({"peer": "ttrl-tiny"}, "a peer needs both"),
        ({"label_rule": "harmonic", "views": ""}, "no second vote"),
        ({"label_votes": "visits", "task": "text"}, "Set visit_decay: 1"),
        ({"label_votes": "base", "label_rule": "harmonic", "task": "text"}, "they have no shares"),
    ],
)
def test_what_cannot_go_together_is_refused_by_name(given, message):
    with pytest.raises(ConfigError, match=message):
        resolve(given, environment={})
