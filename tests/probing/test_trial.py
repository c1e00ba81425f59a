"""What the two looks at the votes say of each other."""

import pytest

from ttrl.answers.tasks import get_task
from ttrl.config import resolve
from ttrl.probing.draw import voted
from ttrl.probing.trial import labels_kept


@pytest.fixture
def votes(make_group):
    """`votes("1 1 2", "- -")`: on one question each; - abstains."""

    def make(*questions: str):
        groups = [
            make_group(["" if a == "-" else rf"\boxed{{{a}}}" for a in answers.split()], id=str(i))
            for i, answers in enumerate(questions)
        ]
        config = resolve({}, environment={}).values
        return voted(groups, task=get_task("math"), config=config)

    return make


def test_labels_are_kept_where_the_same_answer_is_elected_again(votes) -> None:
    assert labels_kept(votes("1 1", "2 2", "3 3"), votes("1 1", "2 2", "4 4")) == pytest.approx(
        2 / 3
    )


def test_a_label_that_appears_or_is_gone_is_not_kept(votes) -> None:
    assert labels_kept(votes("1 1", "- -", "3 3"), votes("- -", "2 2", "3 3")) == pytest.approx(
        1 / 3
    )


def test_questions_without_a_label_before_and_after_do_not_count(votes) -> None:
    assert labels_kept(votes("1 1", "- -", "3 3"), votes("1 1", "- -", "4 4")) == 1 / 2
    assert labels_kept(votes("- -"), votes("- -")) is None
