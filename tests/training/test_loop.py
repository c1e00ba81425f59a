from collections import Counter
from contextlib import contextmanager, nullcontext

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.training.loop import Progress, questions_of_step, reason_to_end, spare_questions, train
from ttrl.training.step import mini_batches
from ttrl.types import Question, TrainingSample

QUESTIONS = [Question(id=str(i), prompt=f"{i}?") for i in range(10)]


class FakeSampler:
    """Answers from a script and remembers how often it was given new weights."""

    def __init__(self, make_group, script):
        self.make_group, self.script, self.versions = make_group, script, 0

    def sample(self, questions, *, n, params, seed, first=0):
        return [self.make_group(self.script[q.id][:n], id=q.id) for q in questions]

    def load_weights(self, model):
        self.versions += 1


class FakeLearner:
    """Knows no model; remembers the samples of its updates and their share of the learning rate."""

    model = None

    def __init__(self):
        self.updates, self.share = [], None

    def begin_step(self, rate_share):
        self.share = rate_share

    def update(self, samples, algorithm):
        prepared, _ = algorithm.prepare(list(samples), self)
        if not any(any(s.advantages) for s in prepared):
            return {}
        self.updates.append((prepared, self.share))
        return {
            "train/loss": float(len(self.updates)),
            "train/tokens": 5.0,
            "train/samples": sum(s.weight for s in prepared),
            "train/distinct_samples": float(len(prepared)),
        }

    def values(self, completions):
        return [(0.5,) * len(c.token_ids) for c in completions]


def run(make_group, script, *, progress=None, **settings):
    questions = [q for q in QUESTIONS if q.id in script]
    config = RunConfig(
        **{"steps": 3, "votes_per_question": 4, "trained_per_question": 2} | settings
    )
    sampler, learner = FakeSampler(make_group, script), FakeLearner()
    reports = list(
        train(
            questions,
            config=config,
            sampler=sampler,
            learner=learner,
            algorithm=make_algorithm(config),
            task=get_task("math"),
            rule=make_rule(config),
            progress=progress or Progress(),
            uninterrupted=nullcontext(),
        )
    )
    stand = reports[-1].progress
    return (stand, reason_to_end(stand, config)), sampler, learner, reports


def boxed(*answers):
    return [rf"\boxed{{{a}}}" for a in answers]


def test_every_question_comes_once_an_epoch_and_none_is_dropped():
    config = RunConfig(questions_per_step=4)
    for epoch in range(3):
        steps = [questions_of_step(QUESTIONS, step=3 * epoch + i, config=config) for i in range(3)]
        assert [len(s) for s in steps] == [4, 4, 2]
        assert Counter(q.id for s in steps for q in s) == Counter(q.id for q in QUESTIONS)


def test_epochs_differ_and_do_not_depend_on_the_order_of_the_file():
    config = RunConfig(questions_per_step=10)
    first, second = (questions_of_step(QUESTIONS, step=i, config=config) for i in (0, 1))
    assert first != second
    assert questions_of_step(QUESTIONS[::-1], step=0, config=config) == first


def test_spare_questions_are_all_others_and_not_those_of_the_next_step_first():
    config = RunConfig(questions_per_step=4)
    spare = [spare_questions(QUESTIONS, step=step, config=config) for step in range(3)]
    for step, others in enumerate(spare):
        own = questions_of_step(QUESTIONS, step=step, config=config)
        assert sorted(q.id for q in [*own, *others]) == [q.id for q in QUESTIONS]
        assert spare_questions(QUESTIONS[::-1], step=step, config=config) == others
    following = questions_of_step(QUESTIONS, step=1, config=config)
    assert spare[0][: len(following)] != following


def test_the_vote_is_over_all_and_the_update_over_the_first_k(make_group):
    # all four elect 7; of the two kept one agrees
    _, sampler, learner, reports = run(make_group, {"0": boxed(7, 1, 7, 7)}, steps=1)
    ((samples, _),) = learner.updates
    assert [(s.completion.text, s.advantages[0] > 0) for s in samples] == [
        (r"\boxed{7}", True),
        (r"\boxed{1}", False),
    ]
    assert reports[0].votes[0]["label"] == "7" and reports[0].votes[0]["counts"] == [3, 1]
    assert sampler.versions == 1


def test_full_agreement_is_a_skipped_step_and_then_the_end(make_group):
    (progress, why), sampler, learner, reports = run(
        make_group, {"0": boxed(7, 7, 7, 7)}, steps=50, stop_after_silent_steps=3
    )
    assert progress.step == 3 and why == (
        "3 steps in a row without a gradient, at last because no group has two different rewards"
    )
    assert learner.updates == [] and sampler.versions == 0
    assert {r.result.skipped for r in reports} == {"no group has two different rewards"}


def test_progress_goes_on_where_it_stood(make_group):
    script = {q.id: boxed(*([3, 1] * 2 if q.id > "4" else [1, 3, 3, 3])) for q in QUESTIONS}
    (whole, _), _, learner, reports = run(make_group, script, steps=6, questions_per_step=4)
    _, _, _, before = run(make_group, script, steps=3, questions_per_step=4)
    stand = before[-1].progress
    (resumed, _), _, rest, after = run(
        make_group, script, steps=6, questions_per_step=4, progress=stand
    )
    assert resumed == whole
    assert [r.votes for r in before + after] == [r.votes for r in reports]
    assert [rate for _, rate in learner.updates][3:] == [rate for _, rate in rest.updates]


def test_kept_completions_are_the_first_and_the_consensus_stays(make_group, vote_and_score):
    group = make_group(boxed(1, 2, 2, 2))
    scored = vote_and_score(group, trained_per_question=2)
    assert scored.kept == (0, 1) and scored.rewards == (0, 1, 1, 1)
    assert scored.trained == ((group.completions[0], 0), (group.completions[1], 1))
    assert scored.consensus.pseudo_label == "2" and scored.consensus.counts == (3, 1)


@pytest.mark.parametrize(
    ("updates", "sizes"), [(1, [6]), (2, [2, 4]), (3, [2, 2, 2]), (9, [2, 2, 2])]
)
def test_updates_are_whole_questions(make_group, updates, sizes):
    samples = [
        TrainingSample(completion=c, reward=1.0, weight=1.0)
        for id in "abc"
        for c in make_group(boxed(1, 2), id=id).completions
    ]
    parts = list(mini_batches(samples, updates))
    assert [len(p) for p in parts] == sizes
    assert [s for p in parts for s in p] == samples


def test_an_interrupt_after_an_update_waits_until_the_step_is_recorded(make_group):
    """Else weights of one step more would be saved under the progress of one step less."""
    entered = []

    @contextmanager
    def uninterrupted():
        entered.append("updating")
        yield
        entered.append("free")

    seen = []
    config = RunConfig(steps=1, votes_per_question=4, trained_per_question=4)
    for _ in train(
        [q for q in QUESTIONS if q.id in "01"],
        config=config,
        sampler=FakeSampler(make_group, {"0": boxed(1, 1, 1, 2), "1": boxed(1, 1, 1, 1)}),
        learner=FakeLearner(),
        algorithm=make_algorithm(config),
        task=get_task("math"),
        rule=make_rule(config),
        progress=Progress(),
        uninterrupted=uninterrupted(),
    ):
        seen.append(list(entered))
    assert seen == [["updating"]] and entered == ["updating", "free"]


def trained(learner):
    """Questions of each update."""
    return [sorted({s.completion.question_id for s in samples}) for samples, _ in learner.updates]


def test_passes_go_over_the_same_samples_and_metrics_are_their_means(make_group):
    script = {id: boxed(7, 1, 7, 7) for id in "012"}
    _, sampler, learner, reports = run(
        make_group, script, steps=1, updates_per_step=2, passes_per_step=3
    )
    first, second = trained(learner)[:2]
    assert trained(learner) == [first, second] * 3 and sorted(first + second) == ["0", "1", "2"]
    metrics = reports[0].metrics
    assert metrics["train/updates"] == 6 and metrics["train/tokens"] == 30
    assert metrics["train/samples"] == metrics["train/distinct_samples"] == 3 * 2 * 3
    assert metrics["train/loss"] == 3.5  # of 1 .. 6
    assert sampler.versions == 1


def test_updates_without_an_advantage_are_not_counted(make_group):
    script = {"0": boxed(7, 1, 7, 7), "1": boxed(3, 3, 3, 3)}
    _, _, learner, reports = run(make_group, script, steps=1, updates_per_step=2)
    assert trained(learner) == [["0"]] and reports[0].metrics["train/updates"] == 1


def test_cut_completions_vote_and_set_the_baseline_but_are_not_trained_on(make_group):
    texts = [*boxed(7, 7, 1), r"so \boxed{7}"]
    settings = {"steps": 1, "trained_per_question": 4, "algorithm": "dr-grpo"}

    class CutSampler(FakeSampler):
        def sample(self, questions, **options):
            return [make_group(texts, id=q.id, reasons=["stop", "stop", "stop", "length"])
                    for q in questions]  # fmt: skip

    found = {}
    for mask in (False, True):
        config = RunConfig(votes_per_question=4, mask_truncated=mask, **settings)
        learner = FakeLearner()
        list(
            train(
                QUESTIONS[:1],
                config=config,
                sampler=CutSampler(make_group, {}),
                learner=learner,
                algorithm=make_algorithm(config),
                task=get_task("math"),
                rule=make_rule(config),
                progress=Progress(),
                uninterrupted=nullcontext(),
            )
        )
        ((samples, _),) = learner.updates
        found[mask] = [(s.completion.text, s.advantages[0]) for s in samples]
    # three of four agree, so agreement is worth 1 - 3/4, with the cut one or without
    assert found[True] == [(r"\boxed{7}", 0.25), (r"\boxed{1}", -0.75)]
    assert found[False] == [*found[True], (r"so \boxed{7}", 0.25)]


def test_the_spread_choice_trains_on_both_rewards(make_group):
    script = {"0": boxed(7, 7, 7, 1)}
    _, _, learner, _ = run(make_group, script, steps=1, trained_choice="spread")
    ((samples, _),) = learner.updates
    assert [s.completion.text for s in samples] == boxed(7, 1)
    _, _, learner, _ = run(make_group, script, steps=1, trained_choice="first")
    assert learner.updates == []


def test_dapo_replaces_questions_that_teach_nothing(make_group):
    config = RunConfig(questions_per_step=2, steps=1)
    order = questions_of_step(QUESTIONS, step=0, config=config)
    assert len(order) == 2
    split = order[0].id
    script = {q.id: boxed(*([7, 1, 7, 7] if q.id == split else [3] * 4)) for q in QUESTIONS}
    asked = {}
    for refills in (0, 1, 3):
        _, _, learner, reports = run(
            make_group,
            script,
            steps=1,
            questions_per_step=2,
            algorithm="dapo",
            refill_rounds=refills,
        )
        asked[refills] = len(reports[0].votes)
        assert trained(learner) == [[split]]
    assert asked == {0: 2, 1: 3, 3: 5}  # each round asks for the one that is missing
    _, _, _, reports = run(make_group, script, steps=1, questions_per_step=2, algorithm="grpo")
    assert len(reports[0].votes) == 2


@pytest.mark.parametrize("algorithm", ["ppo", "reinforce++"])
def test_algorithms_without_groups_learn_from_questions_that_differ_from_each_other(
    make_group, algorithm
):
    """One completion of each is enough for them."""
    script = {"0": boxed(7, 7, 7, 1), "1": boxed(1, 3, 3, 3)}
    _, _, learner, _ = run(make_group, script, steps=1, trained_per_question=1, algorithm=algorithm)
    ((samples, _),) = learner.updates
    assert {s.completion.text: s.reward for s in samples} == {r"\boxed{7}": 1, r"\boxed{1}": 0}
    assert {s.advantages[0] > 0 for s in samples} == {True, False}


@pytest.mark.parametrize("algorithm", ["grpo", "ppo", "reinforce++", "dpo"])
def test_equal_rewards_everywhere_are_a_skipped_step_for_every_algorithm(make_group, algorithm):
    script = {"0": boxed(7, 7, 7, 7), "1": boxed(3, 3, 3, 3)}
    _, sampler, learner, reports = run(make_group, script, steps=1, algorithm=algorithm)
    assert learner.updates == [] and sampler.versions == 0
    everywhere = algorithm in {"ppo", "reinforce++"}
    assert reports[0].result.skipped == (
        "all rewards of the step are equal" if everywhere else "no group has two different rewards"
    )


def test_dapo_replaces_questions_whose_trained_completions_are_all_equal(make_group):
    """The vote of all four differs, but the two that are trained on do not."""
    config = RunConfig(questions_per_step=1, steps=1)
    (first,) = questions_of_step(QUESTIONS, step=0, config=config)
    script = {q.id: boxed(*([7, 7, 7, 1] if q is first else [7, 1, 7, 7])) for q in QUESTIONS}
    settings = {"steps": 1, "questions_per_step": 1, "algorithm": "dapo", "refill_rounds": 1}
    _, _, learner, reports = run(make_group, script, **settings)
    assert len(reports[0].votes) == 2 and len(learner.updates) == 1
    assert first.id not in trained(learner)[0]
