from dataclasses import replace

import pytest

from ttrl.answers.tasks import get_task
from ttrl.consensus.summary import flip_rate, labels_of, step_metrics, vote_records


@pytest.fixture
def scored(make_group, vote_and_score):
    groups = [
        make_group([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}", "?"], id="a"),
        make_group([r"\boxed{5}"] * 4, id="b"),
    ]
    return [vote_and_score(group) for group in groups]


def test_metrics_of_a_step_by_hand(scored):
    metrics = step_metrics(scored)
    assert metrics["consensus/majority_ratio"] == (2 / 4 + 1) / 2
    assert metrics["consensus/majority_ratio_answered"] == (2 / 3 + 1) / 2
    assert metrics["consensus/no_answer_rate"] == (1 / 4 + 0) / 2
    assert metrics["consensus/distinct_answers"] == 1.5
    assert metrics["consensus/distinct_labels"] == 1.0
    assert metrics["reward/mean"] == 6 / 8
    assert metrics["reward/groups_with_signal"] == 0.5
    assert metrics["sample/entropy"] == 0.25
    # seven boxed texts of 9 characters and one of 1, each with its end token
    assert metrics["sample/tokens"] == 7 * 10 + 2


def test_unreliability_is_recorded_for_exact_votes(scored, make_group, vote_and_score):
    """All four are drawn: 1 1 against 2 and none is one outcome; a unanimous group teaches nothing."""
    records = vote_records(scored, step=1, task=get_task("math"), previous={})
    assert [r["unreliability"] for r in records] == pytest.approx([0, 1])
    assert step_metrics(scored)["consensus/unreliability"] == pytest.approx(1 / 2)
    texts = [vote_and_score(make_group(["a b", "a c", "d"]), task="text")]
    assert "consensus/unreliability" not in step_metrics(texts)
    (record,) = vote_records(texts, step=1, task=get_task("text"), previous={})
    assert record["unreliability"] is None
    mixed = step_metrics([scored[0], *texts])
    assert mixed["consensus/unreliability"] == pytest.approx(0)


def test_long_labels_are_cut_in_records_but_not_in_flips(make_group, vote_and_score):
    texts = [" ".join(f"w{n}" for n in range(count)) for count in (400, 401)]
    scored = [vote_and_score(make_group(texts), task="text")]
    label = scored[0].consensus.pseudo_label
    (record,) = vote_records(scored, step=1, task=get_task("text"), previous={"q": label})
    assert len(record["label"]) == 1000 and record["label"].endswith("…")
    assert record["flipped"] is False


def test_a_flip_is_a_new_label_not_a_new_spelling(scored):
    task = get_task("math")
    records = vote_records(scored, step=3, task=task, previous={"a": "1.0", "b": "7"})
    assert [r["flipped"] for r in records] == [False, True]
    assert records[0]["label"] == "1" and records[0]["counts"] == [2, 1]
    assert vote_records(scored, step=3, task=task, previous={})[0]["flipped"] is None


def test_the_flip_rate_is_over_questions_seen_before(make_group, vote_and_score):
    """a stays (7.0 is 7), b flips, c is new: one of two."""
    task = get_task("math")

    def votes(previous, **answers):
        groups = [make_group([rf"\boxed{{{a}}}"] * 2, id=id) for id, a in answers.items()]
        scored = [vote_and_score(group) for group in groups]
        return vote_records(scored, step=1, task=task, previous=previous)

    first = votes({}, a="7", b="7")
    assert flip_rate(first) == {} and labels_of(first) == {"a": "7", "b": "7"}
    second = votes(labels_of(first), a="7.0", b="9", c="9")
    assert flip_rate(second) == {"consensus/flip_rate": 0.5}


def test_an_entropy_that_nobody_recorded_is_absent_and_not_zero(make_group, vote_and_score):
    group = make_group([r"\boxed{1}", "?"])
    bare = tuple(replace(c, entropy=()) for c in group.completions)
    scored = vote_and_score(replace(group, completions=bare))
    metrics = step_metrics([scored])
    assert "sample/entropy" not in metrics
    assert metrics["sample/mean_tokens"] == (10 + 2) / 2  # the rest is there
    greedy = tuple(replace(c, entropy=(0.0,) * len(c.token_ids)) for c in group.completions)
    scored = replace(scored, group=replace(group, completions=greedy))
    assert step_metrics([scored])["sample/entropy"] == 0.0


def test_a_long_label_that_stays_is_no_flip_by_its_record_either(make_group, vote_and_score):
    """What a run remembers of a label is what it has written down."""
    texts = [" ".join(f"{word}{n}" for n in range(400)) for word in ("w", "v")]
    task = get_task("text")

    def record(text, previous):
        scored = vote_and_score(make_group([text] * 3), task="text")
        return vote_records([scored], step=1, task=task, previous=previous)[0]

    first = record(texts[0], {})
    assert record(texts[0], {"q": first["label"]})["flipped"] is False
    assert record(texts[1], {"q": first["label"]})["flipped"] is True
    assert record("no", {"q": first["label"]})["flipped"] is True  # all abstain
