import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ttrl.answers.tasks import get_task
from ttrl.data.stories import read_story
from ttrl.data.views import views_of
from ttrl.data.views.people import NEW_PEOPLE, NEW_THINGS, PEOPLE, THINGS
from ttrl.data.word_problems import word_problems
from ttrl.types import Question


def views(prompt, task="math", count=4, options=(), names=("names",), seed=0):
    question = Question(id="q", prompt=prompt, options=options)
    return views_of(question, task=get_task(task), names=names, count=count, seed=seed)


def words(text):
    return re.findall(r"[A-Za-z]+", text)


def test_people_and_things_are_renamed_everywhere_and_consistently():
    text = "Tom has 8 apples. Tom's sister Ana has 5 apples. How many apples does he have?"
    for view in views(text):
        new = dict(zip(words(text), words(view.question.prompt), strict=True))
        assert {old for old, now in new.items() if old != now} == {"Tom", "Ana", "apples"}
        assert len(set(new.values())) == len(new)
        assert [new[w] for w in words(text)] == words(view.question.prompt)
        assert new["Tom"] in NEW_PEOPLE["he"] and new["Ana"] in NEW_PEOPLE["she"]
        assert view.restore(f"{new['Ana']} has 5 {new['apples']}") == "Ana has 5 apples"
        assert view.restore(f"1 {new['apples'][:-1]}") == "1 apple"
        assert view.restore("12.5") == "12.5"


def test_embedded_problems_keep_their_numbers_under_other_names():
    for problem in word_problems(kind="chain", split="heldout", count=50, seed=2, difficulty=4):
        found = views_of(
            problem.question, task=get_task("math"), names=("names", "facts"), count=8, seed=3
        )
        assert len(found) == 8
        for view in found:
            story = read_story(view.question.prompt)
            assert story is not None and story.answer == problem.answer
            old, new = words(problem.question.prompt), words(view.question.prompt)
            assert old[0] not in new and old[2] not in new


def test_new_names_are_none_that_the_text_has():
    text = "Tom, Ben, Sam and Max have 9 coins. He gives them to Leo. How many coins does Leo have?"
    for view in views(text, count=8):
        # one name is left for five people: one is renamed, and nobody takes another one's name
        new = words(view.question.prompt)
        assert "Dan" in new and len({*new[:4], new[-2]}) == 5


@pytest.mark.parametrize(
    "prompt",
    [
        "Tom Sawyer has 3 dogs. Tom has how many?",
        "King George has 3 dogs. George has how many?",
        "Dr. Ben has 3 dogs. He has how many?",
        "How many letters has Tom? He is Tom.",
        "TOM is Tom. He has 3 dogs.",
        "Tom-Tom and Tom. He has 3 dogs.",
        "Write to Tom@home. Tom waits.",
        "Max f is the largest value, Max g as well.",
        "He draws a Ben, then another Ben.",
        "Sam has 3 dogs. She has how many?",
        "A king has 3 dogs.",
        "",
    ],
)
def test_what_may_be_no_first_name_stays(prompt):
    assert views(prompt) == []


@pytest.mark.parametrize(
    "prompt",
    [
        "A shop has 8 apples and 3 pears. How many fruits are left?",
        "A shop has 8 apples. An apple costs 2. How many apples?",
        "A shop has 3 decks of cards. How many cards?",
        "A shop has 8 coins worth 3 cents. How many coins?",
        "How many apples? Apples are 8.",
        "A man flips 3 coins. With which probability are 2 of the coins equal?",
        "A man has 8 apples-and-pears.",
    ],
)
def test_things_whose_kind_may_matter_stay(prompt):
    assert views(prompt) == []


def test_names_of_persons_that_the_world_knows_stay_in_questions_of_text():
    assert views("Who was Paul? Paul lived in Rome.", task="text") == []
    assert views("Paul has 3 dogs. How many does he have?") != []


def test_options_are_renamed_with_the_text_and_letters_stay():
    prompt = "Ana is taller than Ben. Who is taller?\n(A) Ana\n(B) Ben"
    for view in views(prompt, task="choice", options=("Ana", "Ben")):
        (a, b) = view.question.options
        assert view.question.prompt == f"{a} is taller than {b}. Who is taller?\n(A) {a}\n(B) {b}"
        assert view.restore("A") == "A"


def test_labels_stay():
    prompt = "Tom and Ana: who speaks? Tom, I think."
    for view in views(prompt, task="label", options=("Tom", "nobody")):
        assert view.question.options == ("Tom", "nobody") and "Tom" in view.question.prompt


def test_the_lexicon_is_consistent():
    assert all(PEOPLE[name] == gender for gender in NEW_PEOPLE for name in NEW_PEOPLE[gender])
    assert not any(name.endswith("s") for name in PEOPLE)
    for group, new in zip(THINGS, NEW_THINGS, strict=True):
        assert set(new) <= set(group)
    every = [form for group in THINGS for pair in group for form in pair]
    assert len(set(every)) == len(every)


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "Tom",
                "Ana",
                "he",
                "she",
                "apples",
                "8 ",
                "coins",
                "Dr.",
                "\n",
                ".",
                "'s",
                "-",
                "\u00e9",
                "Max",
            ]
        )
        | st.text(max_size=5),
        max_size=30,
    ),
    st.sampled_from(["math", "text", "choice", "label"]),
)
def test_any_text_is_renamed_back_to_itself(pieces, task):
    text = " ".join(pieces)
    for view in views(text, task=task, count=2):
        if task != "choice":
            assert view.restore(view.question.prompt) == text
