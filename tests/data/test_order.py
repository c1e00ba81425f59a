from __future__ import annotations

from collections import Counter
from itertools import islice

from hypothesis import given
from hypothesis import strategies as st

from ttrl.config import RunConfig
from ttrl.data.questions import epoch_order, equal_steps
from ttrl.training.loop import questions_of_step
from ttrl.types import Question

counts = st.integers(1, 24)


def questions_of(count: int) -> list[Question]:
    return [Question(id=f"q{n}", prompt="?") for n in range(count)]


@given(counts, counts, st.integers(0, 5))
def test_steps_are_equal_hold_nothing_twice_and_visit_all_as_often(
    count: int, per_step: int, seed: int
) -> None:
    per_step = min(count, per_step)
    visits: Counter[str] = Counter({question.id: 0 for question in questions_of(count)})
    for step in islice(equal_steps(questions_of(count), per_step=per_step, seed=seed), 40):
        ids = [question.id for question in step]
        assert len(ids) == len(set(ids)) == per_step
        visits.update(ids)
        assert max(visits.values()) - min(visits.values()) <= 1


@given(st.integers(1, 6), st.integers(1, 5), st.integers(0, 3))
def test_where_epochs_divide_evenly_the_steps_are_the_native_ones(
    per_step: int, parts: int, seed: int
) -> None:
    questions = questions_of(per_step * parts)
    config = RunConfig(questions_per_step=per_step, seed=seed)
    steps = list(islice(equal_steps(questions, per_step=per_step, seed=seed), 3 * parts))
    assert steps == [
        questions_of_step(questions, step=step, config=config) for step in range(3 * parts)
    ]


def test_an_epochs_order_holds_every_question_once_and_changes() -> None:
    questions = questions_of(20)
    orders = [epoch_order(questions, epoch=epoch, seed=0) for epoch in range(3)]
    assert all(set(order) == set(questions) and len(order) == 20 for order in orders)
    assert len({tuple(order) for order in orders}) == 3
    assert epoch_order(questions[::-1], epoch=0, seed=0) == orders[0]
