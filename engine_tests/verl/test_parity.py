"""Random groups: what the adapter writes is, to the bit, what the native engine would train on."""

from __future__ import annotations

import random

import pytest

from ttrl.config import resolve
from ttrl.consensus.rules import score
from ttrl.consensus.vote import vote_on_group
from ttrl.consensus.voting import voting_tools
from ttrl.overlays.verl.batch_vote import Asked, sessions_by_prompt, vote_on_batch
from ttrl.overlays.verl.checks import voting_config
from ttrl.overlays.voting import GroupVoter, completion
from ttrl.types import Group, Question

SPELLINGS = {
    "math": [r"\boxed{0.5}", r"so \boxed{\frac12}", r"\boxed{\frac{1}{2}}", r"\boxed{1/2}", r"\boxed{2}",
             r"\boxed{2.0}", r"$\boxed{ 2 }$", r"\boxed{\sqrt{2}}", r"\boxed{x+1}", r"\boxed{1+x}",
             "no answer", "", r"half a box \boxed{3", r"\boxed{1,000}", r"\boxed{1000}"],
    "number": [r"\boxed{5 cm}", r"\boxed{5}", r"\boxed{5.0}", r"\boxed{7\%}", r"\boxed{7}", "none",
               r"\boxed{x"],
    "choice": ["(A)", "Answer: A", r"\boxed{B}", "the answer is (b)", "(C) a cow", "no idea", ""],
    "label": ["yes", "Answer: yes", r"\boxed{no}", "no", "perhaps", "I do not know"],
    "text": ["the cat sat", "the cat sat down", "a dog ran off", "", "the cat sat down there"],
    "code": ["```python\nprint(1)\n```", "```python\nprint(2)\n```", "```python\nprint( 1 )\n```", "none"],
}  # fmt: skip
OPTIONS = {"choice": ("a cat", "a dog", "a cow"), "label": ("yes", "no")}
EXACT = ["agreement", "majority", "soft", "selective", "confidence", "random", "format"]
SIMILAR = ["agreement", "similarity", "medoid", "threshold"]


def draw(rng, task):
    """A group of 2 to 16 votes, with ties, cut completions and abstentions, by its texts and reasons."""
    few = rng.sample(SPELLINGS[task], rng.randint(1, min(5, len(SPELLINGS[task]))))
    votes = rng.randint(2, 16)
    return [(rng.choice(few), rng.choice(["stop", "stop", "stop", "length"])) for _ in range(votes)]


def asked_of(rng, number, task):
    """A prompt of a batch, its keys shuffled as TransferQueue lists them."""
    question = Question(id=f"q{number}", prompt="?", task=task, options=OPTIONS.get(task, ()))
    drawn = tuple(
        completion(question, text, finish_reason=reason, logprobs=[-rng.random()])
        for text, reason in draw(rng, task)
    )
    keys = [f"u{number}_{session}_0" for session in range(len(drawn))]
    rng.shuffle(keys)
    ((_, sessions),) = sessions_by_prompt(keys).items()
    return Asked(question=question, votes=len(drawn), sessions=sessions, completions=drawn)


def native(settings, asked, step):
    """Rewards of the trained completions, by the key their sample would have."""
    task, rule = voting_tools(settings)
    group = Group(question=asked.question, completions=asked.completions)
    consensus = vote_on_group(task, group, tie_seed=settings.seed, weigh=rule.weigh)
    scored = score(group, consensus, rule=rule, config=settings, step=step)
    places = iter(range(len(asked.completions)))
    found = {}
    for chosen, reward in scored.trained:
        place = next(i for i in places if asked.completions[i] is chosen)
        learned = 0.0 if scored.skipped else reward
        found[asked.sessions[place].keys[0]] = learned
    return found


def compare(kinds, rewards, groups, seed):
    rng, compared = random.Random(seed), 0
    while compared < groups:
        block = {
            "reward": rng.choice(rewards),
            "trained_choice": rng.choice(["first", "random", "spread", "extremes"]),
            "seed": rng.randint(0, 5),
        }
        trained, step = rng.randint(2, 16), rng.randint(0, 99)
        voter = GroupVoter(voting_config(block, trained=trained))
        ours = {**block, "votes_per_question": 16, "trained_per_question": trained}
        settings = resolve(ours, environment={}).values
        prompts = [asked_of(rng, n, rng.choice(kinds)) for n in range(20)]
        voted = vote_on_batch(voter, prompts, step=step)
        expected = {}
        for asked in prompts:
            expected |= native(settings, asked, step)
        assert dict(voted.rewards) == expected
        everything = {
            key for asked in prompts for session in asked.sessions for key in session.keys
        }
        assert set(voted.dropped) == everything - set(expected)
        compared += len(prompts)
    return compared


@pytest.mark.parametrize("seed", range(4))
def test_10000_groups_of_exact_answers(seed):
    assert compare(["math", "number", "choice", "label"], EXACT, 2_500, seed) == 2_500


def test_400_groups_of_texts_and_programs():
    assert compare(["text", "code"], SIMILAR, 400, 7) == 400


def test_120_groups_through_the_queue_and_the_tokenizer(queue, put, row, trainer, tokenizer):
    """The same through everything: stored tokens in, rewards on the last token out."""
    rng = random.Random(11)
    for turn in range(6):
        trained = rng.randint(2, 6)
        made = trainer(
            f"actor_rollout_ref.rollout.n={trained}",
            f"+ttrl.trained_choice={rng.choice(['first', 'random', 'spread'])}",
        )
        made.global_steps = turn + 1
        prompts, wanted = {}, {}
        settings = resolve(
            {
                "trained_choice": made.voter.config.trained_choice,
                "votes_per_question": 16,
                "trained_per_question": trained,
            },
            environment={},
        ).values
        for n in range(20):
            texts = [text or "-" for text, _ in draw(rng, "math") * 3][:16]
            uid = f"t{turn}q{n}"
            prompts[uid] = (row(uid, votes=len(texts)), [[text] for text in texts])
            question = Question(id=uid, prompt=f"Question {uid}?")
            drawn = tuple(
                completion(question, tokenizer.decode(tokenizer.encode(text, add_special_tokens=False)))
                for text in texts
            )  # fmt: skip
            sessions = sessions_by_prompt([f"{uid}_{i}_0" for i in range(len(texts))])[uid]
            asked = Asked(question=question, votes=len(texts), sessions=sessions, completions=drawn)
            wanted |= native(settings, asked, turn)
        kept = made.vote(put(prompts, shuffle=turn), {})
        data = queue.kv_batch_get(keys=kept.keys, partition_id="train", select_fields=["rm_scores"])
        found = [float(scores[-1]) for scores in data["rm_scores"].unbind()]
        assert dict(zip(kept.keys, found, strict=True)) == wanted
        queue.kv_clear(keys=kept.keys, partition_id="train")
