import pytest

from ttrl.errors import ConfigError
from ttrl.evaluation.fresh.catalogue import check_names, set_name


def test_names_are_kept_once_each_and_name_their_set():
    names = check_names(["perturbed", "generated", "gym:lcm", "perturbed"])
    assert names == ("perturbed", "generated", "gym:lcm")
    assert [set_name(name) for name in names] == [
        "fresh_perturbed", "fresh_generated", "fresh_lcm",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("generate", "generated"),
        ("lcm", "gym:lcm"),
        ("gym:chainsum", "gym:chain_sum"),
        ("qqq", None),
    ],
)
def test_an_unknown_name_is_refused_with_the_nearest_and_the_list(name, near):
    with pytest.raises(ConfigError) as caught:
        check_names([name])
    assert (f"Did you mean {near}?" in str(caught.value)) == (near is not None)
    assert "gym:dice" in str(caught.value)
