import re
from itertools import pairwise

import pytest

from ttrl.config import resolve
from ttrl.data.copies import perturbed_copies
from ttrl.data.sets import read_sets
from ttrl.data.stories import read_story
from ttrl.data.word_problems import word_problems
from ttrl.errors import DataError
from ttrl.evaluation.labels import build_sets
from ttrl.types import Question

TEXTS = [
    "Kay reads 12 of 30 pages in 4 days. How many pages are left?",
    "In 1998 a train with 25 cars made 3 trips of 140 miles. How far did the 25 cars go?",
    "A box holds 48 eggs and 7 nuts. How many is that, with 0.5 kg each?",
    "Ben is 9 and Ana is 16. How old are both?",
]


def copies(texts, each=1, known=(), task="math", seed=0):
    questions = [Question(id=str(i), prompt=text) for i, text in enumerate(texts)]
    asked = [Question(id=f"k{i}", prompt=text) for i, text in enumerate(known)]
    return perturbed_copies(questions, each=each, task=task, seed=seed, known=asked)


def numbers(text):
    return [int(n) for n in re.findall(r"\d+", text)]


def test_free_whole_numbers_become_others_of_the_file_and_keep_their_order():
    found = copies(TEXTS, each=3)
    pool = {n for text in TEXTS for n in numbers(text)}
    for copy in found:
        original = TEXTS[int(copy.id.partition("~")[0])]
        assert re.sub(r"\d+", "#", copy.prompt) == re.sub(r"\d+", "#", original)
        old, new = numbers(original), numbers(copy.prompt)
        assert set(new) <= pool and [len(str(n)) for n in new] == [len(str(n)) for n in old]
        for (a, b), (c, d) in pairwise(zip(old, new, strict=True)):
            if len(str(a)) == len(str(c)):
                assert (a < c) == (b < d) and (a == c) == (b == d)
    assert {copy.id for copy in found} >= {"0~p1", "0~p2", "2~p1", "3~p3"}


def test_years_decimals_and_numbers_alone_of_their_length_stay():
    # 140 is the only number of three digits, so it cannot become another
    assert not any(copy.id.startswith("1~") for copy in copies(TEXTS))
    assert "0.5 kg" in next(copy.prompt for copy in copies(TEXTS) if copy.id == "2~p1")


def test_no_copy_repeats_a_known_question_or_another_copy():
    texts = ["Add 10 and 3.", "Add 20 and 4.", "Add 30 and 5."]
    first = copies(texts, each=9)
    prompts = [copy.prompt for copy in first]
    assert len(set(prompts)) == len(prompts) and not set(prompts) & set(texts)
    known = [prompts[0].upper(), prompts[1]]
    again = {copy.prompt for copy in copies(texts, each=9, known=known)}
    assert not again & {prompts[0], prompts[1]}


def test_copies_of_stories_are_stories_in_which_nothing_is_lacking():
    problems = word_problems(kind="chain", split="unlabeled", count=60, seed=5, difficulty=5)
    held = word_problems(kind="chain", split="heldout", count=60, seed=5, difficulty=1)
    questions = [problem.question for problem in problems]
    found = perturbed_copies(
        questions, each=2, task="math", seed=0, known=[problem.question for problem in held]
    )
    assert len(found) > 100
    for copy in found:
        story = read_story(copy.prompt)
        assert story is not None and story.answer >= 0


def test_the_numbers_of_a_held_out_story_are_not_trained_on_under_another_name():
    held = "Mia has 12 nuts. She eats 10 on Friday. How many nuts are left?"
    texts = [
        f"Tom has {n} apples. He eats 11 on Monday. How many apples are left?" for n in (12, 13, 10)
    ]
    texts[2] = "Tom has 13 apples. He buys 10 on Monday. How many apples are left?"
    changes = {
        tuple(numbers(copy.prompt))
        for seed in range(20)
        for copy in copies(texts, each=3, known=[held], seed=seed)
        if "eats" in copy.prompt
    }
    assert changes and (12, 10) not in changes


def test_copies_depend_on_seed_and_id_alone_and_other_tasks_have_none():
    assert copies(TEXTS) == copies(TEXTS) != copies(TEXTS, seed=1)
    assert copies(TEXTS, task="choice") == ()


def test_ids_of_the_user_are_not_taken_again():
    questions = [
        Question(id="a", prompt="Add 10 and 3."),
        Question(id="a~p1", prompt="Sum 20 and 4."),
    ]
    found = perturbed_copies(questions, each=1, task="math", seed=0, known=())
    assert [copy.id for copy in found] == ["a~p2", "a~p1~p1"]


def test_only_the_set_for_training_has_copies(tmp_path):
    config = resolve({"augment": "perturbed", "limit": "20"}, environment={}).values
    training, *others = [each for each, _ in read_sets(config)]
    assert len(training.questions) == 20 and training.copies
    assert training.trained == (*training.questions, *training.copies)
    assert not any(each.copies for each in others)
    plain = resolve({"limit": "20"}, environment={}).values
    assert [each.questions for each, _ in read_sets(plain)] == [
        each.questions for each, _ in read_sets(config)
    ]


def test_fresh_questions_that_are_trained_on_as_copies_are_left_out_and_counted():
    given = {"augment": "perturbed", "augment_copies": "20", "difficulty": "1", "limit": "400"}
    config = resolve(given | {"fresh": "perturbed"}, environment={}).values
    sets = build_sets(config)
    fresh = next(each for each in sets.others if each.name == "fresh_perturbed")
    trained = {question.prompt for question in sets.training.copies}
    assert fresh.questions and not trained & {question.prompt for question in fresh.questions}
    assert fresh.note is not None and "are also among the copies trained on" in fresh.note


def test_a_file_without_numbers_to_change_is_refused(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "Why?"}\n{"question": "What is 7 + 1?"}\n')
    config = resolve({"questions": str(file), "augment": "perturbed"}, environment={}).values
    with pytest.raises(DataError, match=r"augment=perturbed: no question of .* Leave augment out"):
        read_sets(config)
