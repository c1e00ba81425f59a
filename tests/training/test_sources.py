"""Further votes of other models, of the base and of earlier visits."""

import json
from contextlib import nullcontext

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import RunConfig
from ttrl.consensus.rewards import agreement_rewards
from ttrl.consensus.rules import make_rule
from ttrl.consensus.vote import vote_on_group
from ttrl.errors import CheckpointError
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.training.loop import Progress, train
from ttrl.training.sources import REMEMBERED, BaseVotes, SampledVotes, VisitVotes, remember
from ttrl.types import FurtherVotes, Question, ScoredGroup

TASK = get_task("math")
Q = Question(id="q", prompt="?")


class FakeSampler:
    """Gives the answers of a script, in order, and remembers what was asked for."""

    def __init__(self, make_group, script):
        self.make_group, self.script, self.calls = make_group, script, []

    def sample(self, questions, *, n, params, seed, first=0):
        self.calls.append((n, params.temperature, seed))
        texts = [rf"\boxed{{{a}}}" for a in self.script[first : first + n]]
        return [self.make_group(texts, id=q.id) for q in questions]

    def load_weights(self, model):
        pass


class FakeLearner:
    model = None

    def begin_step(self, rate_share):
        pass

    def update(self, samples, algorithm):
        return {"train/tokens": 5.0, "train/samples": 1.0, "train/distinct_samples": 1.0}


def test_two_models_elect_each_others_labels(make_group):
    # model 1 says A5 B3, model 2 B6 A2: alone 1 elects A, and with the other's votes B
    group = make_group([rf"\boxed{{{a}}}" for a in "11111222"])
    config = RunConfig(further_votes=8, label_temperature=0.7)
    peer = FakeSampler(make_group, "22222211")
    source = SampledVotes("peer", peer, task=TASK, config=config)
    (votes,) = source.votes([group], step=3)
    assert votes == FurtherVotes(source="peer", answers=tuple("22222211"), weights=(1.0,) * 8)
    assert peer.calls[0][:2] == (8, 0.7) and source.sampled_tokens == 8 * (len(r"\boxed{1}") + 1)
    assert vote_on_group(TASK, group, tie_seed=0).pseudo_label == "1"
    consensus = vote_on_group(TASK, group, tie_seed=0, further=[votes])  # 1: 7, 2: 9
    assert consensus.pseudo_label == "2"
    assert agreement_rewards(consensus) == (0,) * 5 + (1,) * 3
    source.votes([group], step=4)
    assert peer.calls[0][2] != peer.calls[1][2]  # other random numbers in each step


def test_the_bases_votes_survive_a_file_and_cost_their_tokens_once(make_group):
    config = RunConfig(further_votes=3)
    drawn = BaseVotes.drawn([Q], sampler=FakeSampler(make_group, "778"), task=TASK, config=config)
    again = BaseVotes.from_json(
        json.loads(json.dumps(drawn.to_json())), [Q], config=config, file="f"
    )
    assert again == drawn and again.tokens == 3 * (len(r"\boxed{7}") + 1)
    group = make_group(["?"])
    assert again.votes([group], step=1)[0].answers == ("7", "7", "8") and not again.sampled_tokens
    again.votes([group], step=0)
    again.votes([group], step=0)
    assert again.sampled_tokens == again.tokens


@pytest.mark.parametrize(
    "written",
    [
        [], {}, {"tokens": 1, "answers": {}}, {"tokens": 1, "answers": {"q": ["7"]}},
        {"tokens": 1, "answers": {"q": ["7", "7", 8]}}, {"tokens": "1", "answers": {"q": ["7"] * 3}},
        {"tokens": -1, "answers": {"q": ["7"] * 3}},
    ],
)  # fmt: skip
def test_damaged_votes_of_the_base_are_refused(written):
    with pytest.raises(CheckpointError, match=r"runs/x/base_votes.json is damaged"):
        BaseVotes.from_json(
            written, [Q], config=RunConfig(further_votes=3), file="runs/x/base_votes.json"
        )


def scored(make_group, answers, *further):
    group = make_group([rf"\boxed{{{a}}}" if a else "none" for a in answers])
    consensus = vote_on_group(TASK, group, tie_seed=0, further=further)
    return ScoredGroup(
        group=group, consensus=consensus, rewards=(0.0,) * len(answers), kept=(0,), further=further
    )


def test_earlier_votes_weigh_less_with_each_visit(make_group):
    views = FurtherVotes(source="views", answers=("7", "9"), weights=(1.0, 1.0))
    other = FurtherVotes(source="peer", answers=("5",), weights=(1.0,))
    visits = remember({}, [scored(make_group, ["7", None, "7"], views, other)])
    assert visits == {"q": [[["7", 3], [None, 1], ["9", 1]]]}  # the peer's votes are not its own
    visits = remember(visits, [scored(make_group, ["8"])])
    (votes,) = VisitVotes(visits, decay=0.5).votes([make_group(["?"])], step=2)
    assert votes.answers == ("8", "7", "7", "7", None, "9")
    assert votes.weights == (0.5, 0.25, 0.25, 0.25, 0.25, 0.25)
    assert VisitVotes(visits, decay=0.0).votes([make_group(["?"])], step=2) == [None]
    assert VisitVotes(visits, decay=0.5).votes([make_group(["?"], id="new")], step=2) == [None]


def test_old_visits_are_forgotten(make_group):
    visits = {}
    for i in range(REMEMBERED + 3):
        visits = remember(visits, [scored(make_group, [str(i)])])
    assert len(visits["q"]) == REMEMBERED and visits["q"][0] == [[str(REMEMBERED + 2), 1]]


def run(make_group, progress, *, steps, **settings):
    config = RunConfig(
        votes_per_question=4,
        trained_per_question=4,
        steps=steps,
        label_votes=("visits",),
        **settings,
    )
    reports = train(
        [Q],
        config=config,
        sampler=FakeSampler(make_group, "7788"),
        learner=FakeLearner(),
        algorithm=make_algorithm(config),
        task=TASK,
        rule=make_rule(config),
        progress=progress,
        uninterrupted=nullcontext(),
    )
    return list(reports)


def test_visits_vote_again_and_go_on_from_a_saved_progress(make_group):
    from dataclasses import asdict

    first, second, third = run(make_group, Progress(), steps=3)
    assert "further" not in first.votes[0] and first.votes[0]["counts"] == [2, 2]
    assert second.votes[0]["further"] == {"visits": 4} and second.votes[0]["voters"] == 6
    assert third.votes[0]["further"] == {"visits": 8} and third.votes[0]["voters"] == 7
    assert second.metrics["sample/further_tokens"] == 0
    saved = Progress(**json.loads(json.dumps(asdict(second.progress))))
    (again,) = run(make_group, saved, steps=3)
    assert again.votes == third.votes and again.progress == third.progress
