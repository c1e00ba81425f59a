import json

import pytest

from ttrl.config import resolve
from ttrl.errors import ConfigError, DataError
from ttrl.evaluation.labels import build_sets
from ttrl.evaluation.report.text import set_title

ROWS = [
    {"question": "Lea had 30 coins and paid 12. How many has she?", "Equation": "30 - 12", "answer": "18"},
    {"question": "Bo had 45 nuts and ate 27. How many has he?", "Equation": "45 - 27", "answer": "18"},
    {"question": "Cy had 64 pens and lost 21. How many has he?", "Equation": "64 - 21", "answer": "43"},
]  # fmt: skip


@pytest.fixture
def file_of(tmp_path):
    def write(name, rows):
        path = tmp_path / name
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
        return str(path)

    return write


def sets_of(**given):
    return build_sets(resolve(given, environment={}).values)


def test_sets_come_in_the_order_trained_held_out_transfer_fresh(file_of):
    found = sets_of(
        limit=6,
        transfer=(file_of("other.jsonl", ROWS),),
        fresh=("perturbed", "generated"),
        fresh_count=5,
    )
    sets, labels = found.all, found.labels
    assert [each.name for each in sets] == list(labels) == [
        "unlabeled", "heldout", "out_of_prior", "transfer_other", "fresh_perturbed", "fresh_generated",
    ]  # fmt: skip
    assert [len(each.questions) for each in sets] == [6, 6, 6, 3, 5, 5]
    assert all(known.answers is not None for known in labels.values())
    assert sets[4].note == "6 of 6 questions could be copied. 5 of the copies are asked"
    prompts = [question.prompt for each in sets for question in each.questions]
    assert len(set(prompts)) == len(prompts)


def test_asking_for_more_sets_changes_none_of_the_others(file_of):
    plain = sets_of(limit=6)
    more = sets_of(limit=6, transfer=(file_of("o.jsonl", ROWS),), fresh=("generated",))
    assert more.all[:3] == plain.all and [more.labels[name] for name in plain.labels] == [
        *plain.labels.values()
    ]


def test_transfer_answers_are_found_by_name_or_the_set_is_unlabeled(file_of):
    plain = [{"question": row["question"]} for row in ROWS]
    odd = [{"prompt": row["question"], "result": row["answer"]} for row in ROWS]
    files = [file_of("a.jsonl", ROWS), file_of("b.jsonl", plain), file_of("c.jsonl", odd)]
    own = file_of("own.jsonl", [{"question": "What is 2 + 2?", "result": "4"}])
    sets = sets_of(
        questions=own, answers="result", question_column="question", transfer=tuple(files)
    )
    answers = [sets.labels[each.name].answers for each in sets.others]
    assert [sheet and dict(sheet.answers) for sheet in answers] == [
        {"0": "18", "1": "18", "2": "43"}, None, {"0": "18", "1": "18", "2": "43"},
    ]  # fmt: skip


@pytest.mark.parametrize("option", ["transfer", "holdout"])
def test_questions_that_are_trained_on_are_refused_also_with_edited_case_and_space(file_of, option):
    edited = [{"question": ROWS[1]["question"].upper().replace(" ", "  ")}, {"question": "Other?"}]
    file = file_of("edited.jsonl", edited)
    with pytest.raises(DataError, match=r"1 of 2 .* among those trained on.*ids 0\)"):
        sets_of(
            questions=file_of("q.jsonl", ROWS),
            **{option: (file,) if option == "transfer" else file},
        )


def test_more_than_five_shared_questions_are_counted_and_five_named(file_of):
    rows = [{"question": f"What is {n} + {n}?"} for n in range(8)]
    with pytest.raises(DataError, match=r"8 of 8 .*\(ids 0, 1, 2, 3, 4, \.\.\.\)"):
        sets_of(questions=file_of("q.jsonl", rows), transfer=(file_of("t.jsonl", rows),))


def test_copies_of_a_file_are_none_of_its_questions(file_of):
    sets = sets_of(questions=file_of("q.jsonl", ROWS), answers="answer", fresh=("perturbed",))
    assert [each.name for each in sets.all] == ["unlabeled", "fresh_perturbed"]
    (copies,) = sets.others
    assert not {q.prompt for q in sets.training.questions} & {q.prompt for q in copies.questions}


def test_only_the_embedded_questions_have_a_generator(file_of):
    with pytest.raises(ConfigError, match="only the embedded questions"):
        sets_of(questions=file_of("q.jsonl", ROWS), answers="answer", fresh=("generated",))


def test_an_unknown_name_is_refused_before_any_file_is_read():
    with pytest.raises(ConfigError, match="Did you mean perturbed"):
        sets_of(questions="missing.jsonl", fresh=("perturb",))


def test_lists_may_be_one_text_with_commas():
    config = resolve(
        {}, environment={"TTRL_FRESH": "generated,gym:lcm", "TTRL_TRANSFER": "a.json"}
    ).values
    assert config.fresh == ("generated", "gym:lcm") and config.transfer == ("a.json",)


def test_titles_of_the_report():
    assert set_title("fresh_perturbed") == "perturbed questions"
    assert set_title("fresh_count_bits") == "fresh count bits questions"
    assert set_title("transfer_AIME_24") == "AIME_24 transfer questions"


def test_a_held_out_share_never_repeats_a_trained_question(tmp_path):
    """Each question stands twice in the file, up to case and white space."""
    file = tmp_path / "q.jsonl"
    rows = [{"question": text} for i in range(10) for text in (f"What is {i}?", f"what  is {i}? ")]
    file.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    config = resolve({"questions": str(file), "holdout": "0.3"}, environment={}).values
    train, held = build_sets(config).all
    words = {" ".join(q.prompt.casefold().split()) for q in train.questions}
    assert held.questions
    assert not words & {" ".join(q.prompt.casefold().split()) for q in held.questions}
    left = 6 - len(held.questions)
    assert held.note is not None and held.note.startswith(f"{left} of 6 questions held out")


def test_a_held_out_share_of_nothing_but_repeats_is_refused(tmp_path):
    file = tmp_path / "q.jsonl"
    file.write_text('{"question": "Same?"}\n' * 4, "utf-8")
    config = resolve({"questions": str(file), "holdout": "0.5"}, environment={}).values
    with pytest.raises(DataError, match="each of the 2 questions held out"):
        build_sets(config)
