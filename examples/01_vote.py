"""The consensus core alone: texts in, pseudo-label and rewards out. Needs no torch and no model.

Run: python examples/01_vote.py
"""

from ttrl import Completion, Group, MajorityReward, Question, get_task, group_advantages

TEXTS = (
    r"Half of it is left: \boxed{\frac{1}{2}}",
    "1 - 0.5 is 0.5. The answer is 0.5.",  # the same number in another spelling
    r"\boxed{2}",
    "Hard to say. Maybe 2, or 7?",  # no box and no marked answer: abstains
    r"So we get \boxed{5/10}",
    r"\boxed{7}",
)


def completion(text: str) -> Completion:
    """A sampler fills in tokens and log-probabilities; a vote only reads the text."""
    return Completion(
        question_id="half",
        prompt_ids=(),
        token_ids=(),
        logprobs=(),
        entropy=(),
        finish_reason="stop",
        policy_version=0,
        text=text,
    )


def main() -> None:
    question = Question(id="half", prompt="A cake is cut in two. How much is one piece?")
    group = Group(question=question, completions=tuple(completion(text) for text in TEXTS))

    scored = MajorityReward(tie_seed=0)(get_task("math"), group)
    consensus = scored.consensus
    advantages = group_advantages(scored.rewards, divide_by_std=True)

    print("votes per answer :", dict(zip(consensus.labels, consensus.counts, strict=True)))
    print("pseudo-label     :", consensus.pseudo_label)
    print("majority ratio   :", consensus.majority_ratio, "of all votes, abstentions included")
    print("abstained        :", consensus.abstained)
    for text, reward, advantage in zip(TEXTS, scored.rewards, advantages, strict=True):
        print(f"reward {reward:.0f}  advantage {advantage:+.2f}  {text}")


if __name__ == "__main__":
    main()
