from contextlib import nullcontext

import pytest

from ttrl.answers.tasks import TASKS, get_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule
from ttrl.errors import ConfigError
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.training.loop import Progress, train
from ttrl.training.votes import check_votes, draw_votes
from ttrl.types import SIMILAR_TASKS, Question

CLEAR = [r"\boxed{7}"] * 16
OPEN = [r"\boxed{7}", r"\boxed{8}"] * 8
LATE = [r"\boxed{7}"] * 3 + [r"\boxed{8}"] + [r"\boxed{7}"] * 12  # 3 to 1, then 7 to 1


class StreamSampler:
    """Each question has its votes in a fixed order; remembers what was asked for."""

    def __init__(self, make_group, script):
        self.make_group, self.script, self.calls = make_group, script, []

    def sample(self, questions, *, n, params, seed, first=0):
        self.calls.append(([q.id for q in questions], first, n, params, seed))
        return [self.make_group(self.script[q.id][first : first + n], id=q.id) for q in questions]

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
        return {
            "train/loss": 1.0,
            "train/tokens": 5.0,
            "train/samples": sum(s.weight for s in samples),
            "train/distinct_samples": float(len(samples)),
        }


def config(**settings):
    wanted = {"votes": "adaptive", "adaptive_first": 4, "adaptive_error": 0.2}
    return RunConfig(
        **({"votes_per_question": 16, "trained_per_question": 8, "steps": 1} | wanted | settings)
    )


def drawn(make_group, script, *, task="math", **settings):
    sampler = StreamSampler(make_group, script)
    questions = [Question(id=id, prompt="?") for id in script]
    groups = draw_votes(
        questions, sampler=sampler, task=get_task(task), config=config(**settings), seed=5
    )
    return groups, sampler.calls


def sizes(groups):
    return [len(group.completions) for group in groups]


def test_rounds_go_on_for_the_undecided_and_only_for_them(make_group):
    # 4 to 0: 70/1820 = .04, under .2 / 2 looks; 3 to 1: (448 + 70)/1820 = .28; 7 to 1: 65/12870 = .005
    groups, calls = drawn(make_group, {"a": OPEN, "b": CLEAR, "c": LATE})
    assert sizes(groups) == [16, 4, 8]
    assert [call[:3] for call in calls] == [
        (["a", "b", "c"], 0, 4),
        (["a", "c"], 4, 4),
        (["a"], 8, 8),
    ]
    assert len({call[3:] for call in calls}) == 1  # the same parameters and seed throughout


def test_they_are_the_first_of_the_fixed_votes_in_the_order_of_the_questions(make_group):
    script = {"a": OPEN, "b": CLEAR, "c": LATE}
    groups, _ = drawn(make_group, script)
    fixed, _ = drawn(make_group, script, votes="fixed")
    assert sizes(fixed) == [16, 16, 16]
    for short, whole in zip(groups, fixed, strict=True):
        assert short.question == whole.question
        assert short.completions == whole.completions[: len(short.completions)]


def test_a_first_round_of_all_votes_asks_for_exactly_what_fixed_votes_ask_for(make_group):
    script = {"a": OPEN, "b": CLEAR}
    groups, calls = drawn(make_group, script, adaptive_first=16)
    fixed, fixed_calls = drawn(make_group, script, votes="fixed")
    assert groups == fixed and calls == fixed_calls


def test_all_decided_is_the_end(make_group):
    groups, calls = drawn(make_group, {"a": CLEAR, "b": CLEAR})
    assert sizes(groups) == [4, 4] and len(calls) == 1


def test_an_error_of_0_stops_only_what_is_certain(make_group):
    ahead = [r"\boxed{1}"] * 16
    groups, _ = drawn(make_group, {"a": ahead}, adaptive_error=0.0)
    assert sizes(groups) == [16]  # 8 of 16 can still be reached
    groups, _ = drawn(make_group, {"a": ahead}, adaptive_error=0.0, adaptive_first=9)
    assert sizes(groups) == [9]


def test_equal_answers_are_counted_as_the_task_says_and_silence_decides_nothing(make_group):
    halves = [r"\boxed{0.5}", r"\boxed{\frac12}", r"\boxed{1/2}", r"\boxed{5e-1}"] * 4
    groups, _ = drawn(make_group, {"a": halves, "b": ["no idea"] * 16})
    assert sizes(groups) == [4, 16]


def trained(make_group, script, **settings):
    learner, settings = FakeLearner(), config(**settings)
    (report,) = train(
        [Question(id=id, prompt="?") for id in script],
        config=settings,
        sampler=StreamSampler(make_group, script),
        learner=learner,
        algorithm=make_algorithm(settings),
        task=get_task("math"),
        rule=make_rule(settings),
        progress=Progress(),
        uninterrupted=nullcontext(),
    )
    return learner.updates, report


def test_a_short_group_is_trained_on_whole_and_a_long_one_on_its_first(make_group):
    updates, report = trained(make_group, {"a": OPEN, "c": LATE}, trained_per_question=10)
    weights = {}
    for sample in updates[0]:
        id = sample.completion.question_id
        weights[id] = weights.get(id, 0) + sample.weight
    assert weights == {"a": 10, "c": 8}
    assert report.metrics["train/samples"] == 18


def test_records_and_metrics_are_over_the_votes_drawn(make_group):
    _, report = trained(make_group, {"a": OPEN, "b": CLEAR, "c": LATE})
    by_question = {vote["question"]: vote for vote in report.votes}
    assert by_question["a"]["counts"] == [8, 8]
    assert by_question["b"]["counts"] == [4] and by_question["b"]["majority_ratio"] == 1
    assert by_question["c"]["counts"] == [7, 1] and by_question["c"]["majority_ratio"] == 7 / 8
    assert report.metrics["sample/votes_per_question"] == (16 + 4 + 8) / 3
    assert report.metrics["consensus/stopped_early"] == 2 / 3
    assert report.metrics["consensus/majority_ratio"] == pytest.approx((1 / 2 + 1 + 7 / 8) / 3)
    assert report.metrics["reward/mean"] == (8 + 4 + 7) / (16 + 4 + 8)


def test_fixed_votes_have_no_metrics_of_their_own(make_group):
    _, report = trained(make_group, {"a": OPEN}, votes="fixed")
    assert "sample/votes_per_question" not in report.metrics
    assert "consensus/stopped_early" not in report.metrics


def test_similar_answers_are_refused_before_the_run_and_if_need_be_in_it(make_group):
    texts = [f"The cat number {i} sat on the mat all day long." for i in range(16)]
    with pytest.raises(ConfigError, match=r"question 'a'.*task text.*votes: fixed"):
        drawn(make_group, {"a": texts}, task="text")
    mixed = [Question(id="m", prompt="?"), Question(id="p", prompt="?", task="code")]
    with pytest.raises(ConfigError, match=r"question 'p'.*task code.*votes: fixed"):
        check_votes(mixed, config())
    check_votes(mixed, config(votes="fixed"))
    for given in (
        {"advantage": "marginal"},
        {"trained_choice": "extremes"},
        {"advantage": "fixed"},
    ):
        (setting,) = given.values()
        with pytest.raises(ConfigError, match=rf"{setting}, question 'p'.*task code.*leave these"):
            check_votes(mixed, config(votes="fixed", **given))
    check_votes(mixed, config(votes="fixed", advantage="fixed", reward="majority"))
    check_votes(mixed[:1], config())


def test_the_tasks_that_are_refused_are_those_with_similarities():
    similar = {
        name for name, make in TASKS.items() if make().similarities(["x = 1", "y = 2"]) is not None
    }
    assert similar == SIMILAR_TASKS
