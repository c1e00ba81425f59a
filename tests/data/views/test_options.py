import itertools

import pytest

from ttrl.answers.tasks import get_task
from ttrl.data.views import views_of
from ttrl.data.views.options import own_letter
from ttrl.types import Completion, Question

CHOICE = get_task("choice")
LIST = "\n(A) a cat\n(B) a dog\n(C) a hen\n(D) a cow"


def views(prompt, options=(), count=30):
    question = Question(id="q", prompt=prompt, options=options)
    return views_of(question, task=CHOICE, names=("options",), count=count, seed=0)


def said(text):
    return Completion(
        question_id="q", prompt_ids=(), token_ids=(), logprobs=(), entropy=(),
        finish_reason="stop", policy_version=0, text=text,
    )  # fmt: skip


def test_letters_of_a_view_are_mapped_back():
    first = views("Which barks?" + LIST)[0]
    assert first.question.prompt == "Which barks?\n(A) a dog\n(B) a hen\n(C) a cow\n(D) a cat"
    assert [first.restore(letter) for letter in "ABCDE"] == ["B", "C", "D", "A", None]
    assert first.restore("a dog") == "B" and first.restore("nothing") is None


def test_what_a_completion_to_a_view_names_is_the_same_option():
    for view in views("Which barks?" + LIST):
        own = CHOICE.for_question(view.question)
        for text in (r"\boxed{%s}", "The answer is (%s)."):
            for letter, option in zip("ABCD", own.options, strict=True):
                mapped = view.restore(own.extract(said(text % letter)))
                assert mapped == "ABCD"[["a cat", "a dog", "a hen", "a cow"].index(option)]


@pytest.mark.parametrize("n, orders", [(2, 1), (3, 5), (4, 23)])
def test_all_permutations_are_views_once(n, orders):
    options = ("red", "blue", "green", "black")[:n]
    lines = "".join(
        f"\n({letter}) {option}" for letter, option in zip("ABCD", options, strict=False)
    )
    found = {view.question.options for view in views("Pick." + lines, options)}
    assert len(found) == orders
    assert found == set(itertools.permutations(options)) - {options}


def test_a_question_and_its_first_views_put_each_option_once_at_each_letter():
    options = ("a cat", "a dog", "a hen", "a cow")
    shown = [options, *(view.question.options for view in views("Which?" + LIST, options, count=3))]
    assert all(set(column) == set(options) for column in zip(*shown, strict=True))


@pytest.mark.parametrize("form", ["({}) {}", "{}. {}", "{}) {}", "{}: {}", "[{}] {}"])
def test_lists_of_other_forms_keep_their_form(form):
    lines = "\n".join(form.format(*pair) for pair in zip("ABC", ("x y", "z", "w"), strict=True))
    first = views("Which of the following?\n" + lines)[0]
    assert first.question.prompt == "Which of the following?\n" + "\n".join(
        form.format(*pair) for pair in zip("ABC", ("z", "w", "x y"), strict=True)
    )


@pytest.mark.parametrize(
    "prompt",
    [
        "Which?\n(A) a cat\n(B) a dog\n(C) all of the above",
        "Which?\n(A) a cat\n(B) a dog\n(C) both A and B",
        "Which?\n(A) a cat\n(B) a dog\n(C) A or B",
        "Which?\n(A) a cat\n(B) a dog\n(C) none",
        "Which?\n(A) a cat\n(B) a dog\n(C) B only",
        "Which?\n(A) A\n(B) B",
        "Why is (B) wrong?" + LIST,
        "Is option B wrong?" + LIST,
        "Which?" + LIST + "\nAnswer with a letter.",
        "Which? (A) a cat (B) a dog",
        "No options.",
        LIST,
    ],
)  # fmt: skip
def test_lists_that_could_speak_of_their_order_or_are_not_at_the_end_have_no_view(prompt):
    assert views(prompt) == []


def test_answers_without_known_texts_are_mapped_by_letter():
    assert own_letter("B", [2, 0, 1]) == "A"
    assert own_letter("D", [2, 0, 1]) is None
