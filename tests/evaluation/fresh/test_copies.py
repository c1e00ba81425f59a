import re
from collections import Counter
from pathlib import Path

import pytest

from ttrl.data.questions import read_questions
from ttrl.data.tables import Table, read_rows
from ttrl.data.word_problems import split_of, word_problems
from ttrl.errors import ConfigError
from ttrl.evaluation.answer_key import resolve_answers
from ttrl.evaluation.fresh.copies import (
    originals_of_problems,
    originals_of_table,
    perturbed_copies,
)

FOLDER = Path(__file__).parents[3].parent / "shared" / "data"


def table_of(*rows):
    columns = tuple(dict.fromkeys(key for row in rows for key in row))
    return Table(name="q.jsonl", rows=list(rows), columns=columns)


def copied(table, *, answers="answer", equation_column=None, count=1000, seed=0, task="math"):
    questions = read_questions(table, column=None, limit=None)
    originals = originals_of_table(
        table,
        questions,
        resolve_answers(answers, table),
        equation_column=equation_column,
        answer_column=answers,
    )
    return perturbed_copies(originals, count=count, task=task, seed=seed, known=questions)


GOOD = [
    {"question": "Lea had 30 coins and paid 12.", "Equation": "30 - 12", "answer": "18"},
    {"question": "Bo had 45 nuts and ate 27.", "Equation": "45 - 27", "answer": "18"},
    {"question": "Cy had 64 pens and lost 21.", "Equation": "64 - 21", "answer": "43.0"},
]


def test_each_copy_has_the_answer_of_its_own_numbers():
    made = copied(table_of(*GOOD))
    assert made.note == "3 of 3 questions could be copied"
    for question in made.questions:
        had, lost = map(int, re.findall(r"\d+", question.prompt))
        assert made.answers.get(question.id) == str(had - lost)


def test_the_account_says_why_the_others_could_not_be_copied():
    bad = [
        {"question": "Di had 5 coins and 5 nuts.", "Equation": "5 + 5 - 1", "answer": "9"},
        {"question": "Ed had 31 coins and paid 12.", "Equation": "31 - 12", "answer": "18"},
        {"question": "Flo had 31 coins and paid 13.", "Equation": "", "answer": "18"},
        {"question": "Gil had 31 coins and paid 14.", "Equation": "import os", "answer": "17"},
        {"question": "Hal had 31 coins and paid 15.", "Equation": "31 - 15", "answer": "blue"},
        {"question": "Ian had 31 coins.", "Equation": "31 * 8", "answer": "248"},
    ]
    made = copied(table_of(*GOOD, *bad))
    assert len(made.questions) == 3
    assert made.note == (
        "3 of 9 questions could be copied; of the others, 1 have no program, "
        "1 have no number as their answer, 1 have one that is not understood, "
        "1 have one that does not give their answer, 1 have a number that could be one of two, "
        "1 have a number that their text does not explain"
    )


def test_copies_depend_on_the_seed_and_on_nothing_else():
    first, again, other = (copied(table_of(*GOOD), seed=seed) for seed in (0, 0, 1))
    assert first == again != other


def test_count_is_the_most_and_the_note_tells_both():
    made = copied(table_of(*GOOD), count=2)
    assert len(made.questions) == len(made.answers.answers) == 2
    assert made.note == "3 of 3 questions could be copied. 2 of the copies are asked"


def test_worked_solutions_serve_as_programs():
    rows = [
        {"question": "Kay has 6 bags of 12 nuts. She eats 20.",
         "answer": "Kay has <<6*12=72>>72 nuts.\n72-20 = <<72-20=52>>52\n#### 52"},
        {"question": "Max has 8 bags of 15 nuts. He eats 30.", "answer": "No steps.\n#### 90"},
        {"question": "Ned has 4 bags and 25 nuts.", "answer": "<<4+25=29>>29\n#### 29"},
    ]  # fmt: skip
    made = copied(table_of(*rows))
    assert [q.id for q in made.questions] == ["0-perturbed", "2-perturbed"]
    bags, nuts, eaten = map(int, re.findall(r"\d+", made.questions[0].prompt))
    assert made.answers.get("0-perturbed") == str(bags * nuts - eaten)
    assert "1 have no program" in str(made.note)


def test_worked_solutions_serve_as_programs_where_the_answers_are_those_of_a_file(tmp_path):
    rows = [
        {"question": "Kay has 6 bags of 12 nuts. She eats 20.",
         "answer": "Kay has <<6*12=72>>72 nuts.\n72-20 = <<72-20=52>>52\n#### 52"},
        {"question": "Max has 8 bags of 15 nuts. He eats 30.",
         "answer": "<<8*15=120>>120\n120-30 = <<120-30=90>>90\n#### 90"},
    ]  # fmt: skip
    file = tmp_path / "a.jsonl"
    file.write_text('{"id": 0, "answer": "52"}\n{"id": 1, "answer": "90"}\n', "utf-8")
    made = copied(table_of(*rows), answers=str(file))
    assert [q.id for q in made.questions] == ["0-perturbed", "1-perturbed"]


def test_a_file_without_programs_or_answers_is_refused_and_told_what_is_missing():
    rows = [{"question": row["question"], "answer": row["answer"]} for row in GOOD]
    with pytest.raises(ConfigError, match=r"equation, formula.*--equation-column"):
        copied(table_of(*rows))
    with pytest.raises(ConfigError, match="no such column"):
        copied(table_of(*GOOD), equation_column="sums")
    table = table_of(*GOOD)
    with pytest.raises(ConfigError, match="--answers"):
        originals_of_table(
            table, read_questions(table, column=None, limit=None), None,
            equation_column=None, answer_column=None,
        )  # fmt: skip


def test_questions_of_other_tasks_are_not_copied():
    with pytest.raises(ConfigError, match="3 are of another task"):
        copied(table_of(*GOOD), task="choice")


def test_embedded_copies_are_problems_that_pre_training_had_not():
    problems = word_problems(kind="chain", split="unlabeled", count=80, seed=0, difficulty=4)
    known = [problem.question for problem in problems]
    made = perturbed_copies(
        originals_of_problems(problems), count=80, task="math", seed=3, known=known
    )
    assert len(made.questions) > 70
    by_id = {problem.question.id: problem for problem in problems}
    prompts = {question.prompt for question in known}
    for question in made.questions:
        problem = by_id[question.id.removesuffix("-perturbed")]
        start, *sizes = map(int, re.findall(r"\d+", question.prompt))
        signs = [1 if change > 0 else -1 for change in problem.changes]
        changes = tuple(sign * size for sign, size in zip(signs, sizes, strict=True))
        assert made.answers.get(question.id) == str(start + sum(changes)) != str(problem.answer)
        assert question.prompt not in prompts
        twin = type(problem)(question=question, start=start, changes=changes, answer=0)
        assert split_of(twin) != "pretrain"
        assert re.sub(r"\d+", "#", question.prompt) == re.sub(r"\d+", "#", problem.question.prompt)


@pytest.mark.parametrize(
    ("name", "answers", "least"),
    [("svamp.json", "Answer", 900), ("gsm8k_test.jsonl", "answer", 380)],
)
def test_the_published_files_can_be_copied_in_part(name, answers, least):
    if not (FOLDER / name).is_file():
        pytest.skip(f"{FOLDER / name} is not here: it lies beside the repository, not in it")
    made = copied(read_rows(str(FOLDER / name)), answers=answers, count=2000)
    assert len(made.questions) >= least
    assert max(Counter(question.prompt for question in made.questions).values()) == 1
