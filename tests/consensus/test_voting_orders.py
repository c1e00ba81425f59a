"""Completions whose options were shown in another order."""

import json

import pytest

from ttrl import vote
from ttrl.cli.main import main
from ttrl.errors import DataError

METALS = ("iron", "gold", "lead")


def shown(text, *order):
    return {"completion": text, "order": list(order)}


def test_letters_are_mapped_back_before_the_vote():
    # gold is B; it was shown as A, as C, and as B
    found = vote(
        [shown(r"\boxed{A}", 1, 2, 0), shown(r"\boxed{C}", 2, 0, 1), r"\boxed{B}", r"\boxed{A}"],
        task="choice",
        options=METALS,
    )
    assert found.answers == ("B", "B", "B", "A")
    assert found.pseudo_label == "B" and found.rewards == (1.0, 1.0, 1.0, 0.0)


def test_the_text_of_an_option_names_it_in_any_order():
    found = vote(
        [shown("The answer is gold.", 1, 2, 0), shown(r"\boxed{D}", 1, 2, 0)],
        task="choice",
        options=METALS,
    )
    assert found.answers == ("B", None)


def test_letters_beyond_d_are_known_by_the_order():
    assert vote([shown(r"\boxed{E}", 4, 3, 2, 1, 0)], task="choice").answers == ("A",)


@pytest.mark.parametrize(
    "order", [[0, 0, 1], [1, 2, 3], [0], "abc", [0.0, 1.0], [True, False], {}, 7, []]
)
def test_what_is_no_order_is_refused(order):
    with pytest.raises(DataError, match="wanted the place from 0"):
        vote([{"completion": "A", "order": order}], task="choice")


def test_orders_of_other_tasks_and_of_other_numbers_of_options_are_refused():
    with pytest.raises(DataError, match="its task is math"):
        vote([shown("1", 1, 0)])
    with pytest.raises(DataError, match="2 places for 3 options"):
        vote([shown("A", 1, 0)], task="choice", options=METALS)
    with pytest.raises(DataError, match="2, 3 places for 3 options"):
        vote([shown("A", 1, 0), shown("A", 1, 0, 2)], task="choice")


def test_files_hold_orders_too(tmp_path, capsys):
    file = tmp_path / "votes.jsonl"
    row = {"id": "q", "completions": [shown("A", 1, 0), {"completion": "B"}, "A"]}
    file.write_text(json.dumps(row) + "\n")
    assert main(["vote", str(file), "--task", "choice"]) == 0
    assert json.loads(capsys.readouterr().out)["answers"] == ["B", "B", "A"]
