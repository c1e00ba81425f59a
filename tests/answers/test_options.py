from ttrl.answers.options import ChoiceTask, LabelTask
from ttrl.types import Question


def answers(task, question, texts, make_group):
    task = task.for_question(question)
    return [task.extract(c) for c in make_group(texts).completions]


def test_options_come_from_the_question_or_are_found_in_its_text(make_group):
    texts = ["The answer is C.", r"\boxed{b}", "It is a planet"]
    listed = Question(id="q", prompt="Which?\n(A) one\n(B) two\n(C) three")
    given = Question(id="q", prompt="Which?", options=("one", "two"))
    assert answers(ChoiceTask(), listed, texts, make_group) == ["C", "B", None]
    assert answers(ChoiceTask(), given, texts, make_group) == [None, "B", None]


def test_the_true_answer_may_be_a_letter_or_an_options_text():
    task = ChoiceTask().for_question(Question(id="q", prompt="", options=("12 km", "13 km")))
    assert task.key("B") == task.key("(b)") == task.key("13 km") == ("c", "B")
    assert task.key("C") is None


def test_labels_are_asked_for_and_kept_to(make_group):
    question = Question(id="q", prompt="Spam?", options=("spam", "not spam"))
    task = LabelTask().for_question(question)
    assert task.instruction.endswith("It is one of: spam, not spam.")
    texts = [r"\boxed{Not Spam}", "Label: spam", "eggs"]
    assert answers(LabelTask(), question, texts, make_group) == ["not spam", "spam", None]
