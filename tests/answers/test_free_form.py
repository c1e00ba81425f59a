from dataclasses import replace

from ttrl.answers.free_form import CodeTask, TextTask
from ttrl.types import Question

STUB = 'def add(a, b):\n    """Adds two numbers."""\n'
QUESTION = Question(
    id="q", prompt="Explain in your own words why the sky is blue at noon in summer."
)


def read(task, text, make_group, reason="stop"):
    return task.extract(make_group([text], reasons=[reason]).completions[0])


def test_a_text_is_its_own_answer_without_the_reasoning(make_group):
    task = TextTask().for_question(QUESTION)
    text = "Short waves are scattered more than long ones."
    assert read(task, f"<think>hm</think>\n {text} ", make_group) == text
    assert task.key(text) == task.key(text.upper() + "  ") != task.key(text + " Really.")


def test_empty_cut_copied_and_looping_texts_abstain(make_group):
    task = TextTask().for_question(QUESTION)
    assert read(task, "", make_group) is None
    assert read(task, "Short waves are scattered more than", make_group, "length") is None
    assert read(task, QUESTION.prompt, make_group) is None
    assert read(task, "It is blue because it is blue. " * 30, make_group) is None


def test_a_program_that_does_not_parse_or_gives_the_stub_back_abstains(make_group):
    task = CodeTask().for_question(Question(id="q", prompt=STUB))
    body = f"```python\n{STUB}    return a + b\n```"
    assert read(task, body, make_group) == f"{STUB}    return a + b\n"
    assert read(task, f"```python\n{STUB}    return a +\n```", make_group) is None
    assert read(task, f"```python\n{STUB}```", make_group) is None
    assert read(task, f"```python\n{STUB}    pass\n```", make_group) is None
    assert read(task, body[:-4], make_group, "length") is None


def test_a_stub_that_does_not_parse_is_no_stub():
    task = CodeTask().for_question(replace(QUESTION, prompt="Write add(a, b)."))
    assert task.stub is None
