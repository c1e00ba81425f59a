from ttrl.evaluation.report.guarded import SHOWN, guard_sentences
from ttrl.evaluation.report.reading import Run
from ttrl.recording.results import RunResult


def run(*decisions):
    return Run(result=RunResult(), decisions=decisions)


def decision(step, action, *texts):
    return {"step": step, "action": action, "signals": [{"text": text} for text in texts]}


def test_each_decision_is_a_sentence_and_the_last_comes_first():
    found = guard_sentences(
        run(decision(4, "slow", "KL 0.1"), decision(1200, "stop", "KL 0.2", "x 3"))
    )
    assert [each.text for each in found] == [
        "The guard ended the run after step 1,200: KL 0.2; x 3.",
        "The guard halved the learning rate after step 4: KL 0.1.",
    ]
    assert {each.tone for each in found} == {"fell"}


def test_a_quiet_guard_is_not_mentioned():
    assert guard_sentences(run()) == ()


def test_of_many_decisions_the_first_and_the_last_are_shown():
    found = guard_sentences(run(*[decision(i, "warn", "x") for i in range(1, 41)]))
    assert len(found) == SHOWN
    assert found[0].text.startswith("The guard warned after step 40")
    assert found[1].text == "The guard decided 40 times in all."


def test_lines_that_say_nothing_are_left_out():
    broken = [{}, {"step": "x", "action": "stop"}, {"step": 1, "action": "explode"}]
    assert guard_sentences(run(*broken)) == ()
    (odd,) = guard_sentences(
        run({"step": 1, "action": "stop", "signals": [1, {"text": "a\n" * 500}]})
    )
    assert len(odd.text) < 250 and "\n" not in odd.text
