"""The probe elects its labels by the votes that the run would have."""

from ttrl.answers.tasks import get_task
from ttrl.config import resolve
from ttrl.probing.draw import draw
from ttrl.types import Question

STORY = Question(
    id="a",
    prompt="Tom has 8 apples. He buys 5 more on Monday. On Tuesday he gives 3 to Ana. "
    "How many apples does he have now?",
)
PLAIN = Question(id="b", prompt="What is 1 + 1?")


def drawn(make_group, **settings):
    """Says 1 to the questions themselves, and 2 to everything else."""

    class Sampler:
        def sample(self, questions, *, n, params, seed, first=0):
            answers = ["1" if q.prompt in {STORY.prompt, PLAIN.prompt} else "2" for q in questions]
            return [
                make_group([rf"\boxed{{{answer}}}"] * n, id=q.id)
                for q, answer in zip(questions, answers, strict=True)
            ]

    config = resolve(settings, environment={}).values
    return draw([STORY, PLAIN], sampler=Sampler(), task=get_task("math"), config=config, votes=6)


def test_views_elect_with_half_of_the_votes(make_group) -> None:
    found = drawn(make_group, views=("facts",))
    story, plain = found.labels
    assert sorted(story.consensus.counts) == [3, 3] and len(story.further[0].answers) == 3
    assert len(story.group.completions) == 3
    assert plain.consensus.counts == (6,) and plain.further == ()
    assert [v.consensus.counts for v in found.votes] == [(6,), (6,)]


def test_without_views_the_votes_themselves_elect(make_group) -> None:
    found = drawn(make_group, views=())
    assert [v.consensus for v in found.labels] == [v.consensus for v in found.votes]
