import random

import pytest

from ttrl.errors import DataError
from ttrl.overlays.verl.batch_vote import Session, sessions_by_prompt


def test_sessions_come_in_the_order_of_sampling_whatever_the_order_of_keys():
    """Numbers sort as numbers: session 10 is after session 9."""
    keys = [f"u_{session}_0" for session in range(12)]
    random.Random(1).shuffle(keys)
    found = sessions_by_prompt(keys)["u"]
    assert [session.number for session in found] == list(range(12))
    assert [session.keys for session in found] == [(f"u_{n}_0",) for n in range(12)]


def test_outputs_of_a_session_stay_together_in_their_order():
    keys = ["u_0_1", "u_0_10", "u_0_2", "u_0_0", "u_1_0"]
    first, second = sessions_by_prompt(keys)["u"]
    assert first == Session(number=0, keys=("u_0_0", "u_0_1", "u_0_2", "u_0_10"))
    assert second == Session(number=1, keys=("u_1_0",))


def test_a_prompt_may_have_underscores_in_its_name():
    assert list(sessions_by_prompt(["a_b_0_0", "a_0_0"])) == ["a_b", "a"]


@pytest.mark.parametrize("key", ["u", "u_1", "u_x_0", "u_0_-1", "u_0_²", ""])
def test_a_key_of_another_form_is_told(key):
    with pytest.raises(DataError, match="wanted prompt_session_output"):
        sessions_by_prompt([key])
