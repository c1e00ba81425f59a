from ttrl.answers.tasks import get_task
from ttrl.data.prompts import Prompter
from ttrl.types import Question

QUESTION = Question(id="q", prompt="What is {x}?")


class Asking:
    """A task that is asked for in one way."""

    def __init__(self, instruction):
        self.instruction = instruction

    def for_question(self, question):
        return self


class Tokenizer:
    def __init__(self, chat_template=None):
        self.chat_template = chat_template

    def encode(self, text, *, add_special_tokens):
        return [9] * add_special_tokens + [ord(c) for c in text]

    def apply_chat_template(self, conversation, *, tokenize, add_generation_prompt):
        assert not tokenize and add_generation_prompt
        return "<s>" + "".join(f"[{m['role']}]{m['content']}" for m in conversation) + "[assistant]"


def test_a_chat_model_is_asked_through_its_template_once():
    prompter = Prompter(Tokenizer("x"), template=None, task=Asking("Box it."))
    assert prompter.render(QUESTION) == "<s>[user]What is {x}?\nBox it.[assistant]"
    assert prompter.encode(QUESTION)[0] != 9  # the template has written the special tokens


def test_a_template_of_ones_own_wins_and_braces_in_questions_stay():
    prompter = Prompter(Tokenizer("x"), template="Q: {question}\n", task=Asking("Box it."))
    assert prompter.render(QUESTION) == "Q: What is {x}?\n"
    assert prompter.encode(QUESTION)[0] == 9


def test_a_question_cannot_smuggle_in_the_placeholder():
    prompter = Prompter(Tokenizer(), template="{question}|{instruction}", task=Asking("I"))
    asked = prompter.render(Question(id="q", prompt="{instruction} {question}"))
    assert asked == "{instruction} {question}|I"


def test_a_plain_model_gets_question_and_instruction():
    text = Prompter(Tokenizer(), template=None, task=Asking("Box it.")).render(QUESTION)
    assert text == "Question: What is {x}?\nBox it.\nAnswer:"


def test_each_question_is_asked_as_its_own_task_wants():
    prompter = Prompter(Tokenizer(), template="{question} {instruction}", task=get_task("math"))
    label = Question(id="q", prompt="Nice?", task="label", options=("yes", "no"))
    assert "put your final answer within" in prompter.render(QUESTION)
    assert "It is one of: yes, no." in prompter.render(label)


def test_data_sets_of_other_engines_hold_chats_where_the_model_has_a_template():
    chat = Prompter(Tokenizer("x"), template=None, task=Asking("Box it.")).prompt(QUESTION)
    assert chat == [{"role": "user", "content": "What is {x}?\nBox it."}]
    rendered = Prompter(Tokenizer("x"), template=None, task=Asking("Box it.")).render(QUESTION)
    assert rendered == Tokenizer("x").apply_chat_template(
        chat, tokenize=False, add_generation_prompt=True
    )


def test_they_hold_the_rendered_text_where_it_has_none_or_the_user_has_one():
    for tokenizer, template in ((Tokenizer(), None), (Tokenizer("x"), "Q: {question}\n")):
        prompter = Prompter(tokenizer, template=template, task=Asking("Box it."))
        assert prompter.prompt(QUESTION) == prompter.render(QUESTION)
