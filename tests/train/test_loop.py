from collections import Counter
from contextlib import contextmanager, nullcontext

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.consensus.majority import MajorityReward
from ttrl.train.loop import Progress, questions_of_step, train
from ttrl.train.step import keep, mini_batches
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


class FakePolicy:
    model = None

    def __init__(self):
        self.updates = []

    def update(self, samples, algorithm, *, learning_rate):
        self.updates.append((list(samples), learning_rate))
        return {"train/loss": 1.0, "train/tokens": 5.0}


def run(make_group, script, *, progress=None, **settings):
    questions = [q for q in QUESTIONS if q.id in script]
    config = RunConfig(
        **{"steps": 3, "votes_per_question": 4, "trained_per_question": 2} | settings
    )
    sampler, policy, reports = FakeSampler(make_group, script), FakePolicy(), []
    end = train(
        questions,
        config=config,
        sampler=sampler,
        policy=policy,
        task=get_task("math"),
        rule=MajorityReward(tie_seed=0),
        observers=[],
        progress=progress or Progress(),
        on_step=reports.append,
        uninterrupted=nullcontext(),
    )
    return end, sampler, policy, reports


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


def test_the_vote_is_over_all_and_the_update_over_the_first_k(make_group):
    # all four elect 7; of the two kept one agrees
    _, sampler, policy, reports = run(make_group, {"0": boxed(7, 1, 7, 7)}, steps=1)
    ((samples, _),) = policy.updates
    assert [(s.completion.text, s.advantage > 0) for s in samples] == [
        (r"\boxed{7}", True),
        (r"\boxed{1}", False),
    ]
    assert reports[0].votes[0]["label"] == "7" and reports[0].votes[0]["counts"] == [3, 1]
    assert sampler.versions == 1


def test_full_agreement_is_a_skipped_step_and_then_the_end(make_group):
    (progress, why), sampler, policy, reports = run(
        make_group, {"0": boxed(7, 7, 7, 7)}, steps=50, stop_after_silent_steps=3
    )
    assert progress.step == 3 and why == "full agreement: 3 steps without a gradient"
    assert policy.updates == [] and sampler.versions == 0
    assert {r.result.skipped for r in reports} == {"no group has two different rewards"}


def test_progress_goes_on_where_it_stood(make_group):
    script = {q.id: boxed(*([3, 1] * 2 if q.id > "4" else [1, 3, 3, 3])) for q in QUESTIONS}
    (whole, _), _, policy, reports = run(make_group, script, steps=6, questions_per_step=4)
    _, _, _, before = run(make_group, script, steps=3, questions_per_step=4)
    stand = before[-1].progress
    (resumed, _), _, rest, after = run(
        make_group, script, steps=6, questions_per_step=4, progress=stand
    )
    assert resumed == whole
    assert [r.votes for r in before + after] == [r.votes for r in reports]
    assert [rate for _, rate in policy.updates][3:] == [rate for _, rate in rest.updates]


def test_kept_completions_are_the_first_and_the_consensus_stays(make_group):
    scored = MajorityReward(tie_seed=0)(get_task("math"), make_group(boxed(1, 2, 2, 2)))
    kept = keep(scored, 2)
    assert kept.rewards == (0, 1) and len(kept.group.completions) == 2
    assert kept.consensus is scored.consensus


@pytest.mark.parametrize(
    ("updates", "sizes"), [(1, [6]), (2, [2, 4]), (3, [2, 2, 2]), (9, [2, 2, 2])]
)
def test_updates_are_whole_questions(make_group, updates, sizes):
    samples = [
        TrainingSample(completion=c, advantage=1.0, weight=1.0)
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
    train(
        [q for q in QUESTIONS if q.id in "01"],
        config=RunConfig(steps=1, votes_per_question=4, trained_per_question=4),
        sampler=FakeSampler(make_group, {"0": boxed(1, 1, 1, 2), "1": boxed(1, 1, 1, 1)}),
        policy=FakePolicy(),
        task=get_task("math"),
        rule=MajorityReward(tie_seed=0),
        observers=[],
        progress=Progress(),
        on_step=lambda report: seen.append(list(entered)),
        uninterrupted=uninterrupted(),
    )
    assert seen == [["updating"]] and entered == ["updating", "free"]
