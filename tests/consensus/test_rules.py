import pytest

from ttrl.config import RunConfig
from ttrl.consensus.rules import RULES, check_rule, make_rule
from ttrl.errors import ConfigError


@pytest.mark.parametrize("name", RULES)
def test_every_rule_scores_a_group_with_one_finite_number_each(name, make_group, vote_and_score):
    group = make_group([r"\boxed{1}", r"\boxed{1.0}", r"\boxed{2}", "?"])
    scored = vote_and_score(group, reward=name)
    assert len(scored.rewards) == 4 and scored.consensus.counts == (2, 1)
    assert all(-1.2 < reward <= 1 for reward in scored.rewards)


def test_settings_reach_their_rule(make_group, vote_and_score):
    group = make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"])
    scored = vote_and_score(group, reward="selective", selective_share=0.9)
    assert scored.rewards == (0, 0, 0)


def test_a_rule_says_what_it_reads_of_a_completion_beside_its_text():
    read = {name: rule(RunConfig(reward=name)) for name, rule in RULES.items()}
    assert {name: (*rule.needs,) for name, rule in read.items() if rule.needs} == {
        "confidence": ("logprobs",)
    }
    assert {name: (*rule.reads,) for name, rule in read.items() if rule.reads} == {
        "selective": ("entropy",)
    }


def test_votes_that_are_weighed_are_not_adaptive():
    """Counts decide nothing there, so no lead can be counted."""
    with pytest.raises(ConfigError, match="votes=adaptive with reward=confidence"):
        check_rule(RunConfig(reward="confidence", votes="adaptive"))
    check_rule(RunConfig(reward="selective", votes="adaptive"))


def test_an_unknown_rule_is_refused_with_the_nearest_name():
    with pytest.raises(
        ConfigError, match=r"reward='majorty' is not known. Did you mean majority\?"
    ):
        check_rule(RunConfig(reward="majorty"))
    check_rule(RunConfig(reward="answer-key"))


@pytest.fixture
def own_rules(tmp_path, monkeypatch):
    (tmp_path / "own_rules.py").write_text(
        "def shortest(task, group, consensus):\n"
        "    least = min(len(c.text) for c in group.completions)\n"
        "    return [len(c.text) == least for c in group.completions]\n"
        "def two(task, group, consensus): return [1, 2]\n"
        "def none(task, group, consensus): return None\n"
        "def broken(task, group): return []\n"
        "def nan(task, group, consensus): return [float('nan')] * len(group.completions)\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))


def test_a_function_of_the_users_own_gives_the_rewards(own_rules, make_group, vote_and_score):
    group = make_group([r"\boxed{11}", r"\boxed{2}", r"\boxed{11}"])
    scored = vote_and_score(group, reward="own_rules:shortest")
    assert scored.rewards == (0, 1, 0) and scored.consensus.pseudo_label == "11"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("own_rules:missing", "own_rules has no function 'missing'"),
        ("no_such_module_here:f", "cannot be imported"),
        ("own_rules:", "has no function ''"),
    ],
)
def test_a_function_that_is_not_there_is_refused(own_rules, name, message):
    with pytest.raises(ConfigError, match=message):
        make_rule(RunConfig(reward=name))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("two", "got 2 numbers, wanted 3"),
        ("none", "got None"),
        ("nan", "got a number not finite"),
        ("broken", "the function fails"),
    ],
)
def test_what_an_own_function_returns_is_checked(
    own_rules, make_group, vote_and_score, name, message
):
    with pytest.raises(ConfigError, match=message):
        vote_and_score(make_group(["a", "b", "c"]), reward=f"own_rules:{name}")
