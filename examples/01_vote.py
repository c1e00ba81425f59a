"""The consensus core alone: texts in, pseudo-label and rewards out. Needs no torch and no model.

Run: python examples/01_vote.py
"""

from ttrl import group_advantages, vote

TEXTS = (
    r"Half of it is left: \boxed{\frac{1}{2}}",
    "1 - 0.5 is 0.5. The answer is 0.5.",  # the same number in another spelling
    r"\boxed{2}",
    "Hard to say. Maybe 2, or 7?",  # no box and no marked answer: abstains
    r"So we get \boxed{5/10}",
    r"\boxed{7}",
)
WORDS = (
    "Blue light is scattered more than red light by the air.",
    "The air scatters blue light more than red light.",
    "It is blue because the sea is blue.",
)


def main() -> None:
    votes = vote(TEXTS)
    advantages = group_advantages(votes.rewards, divide_by_std=True)
    print("votes per class  :", votes.counts)
    print("pseudo-label     :", votes.pseudo_label)
    print("majority ratio   :", votes.majority_ratio, "of all votes, abstentions included")
    print("abstained        :", votes.classes.count(None))
    for text, reward, advantage in zip(TEXTS, votes.rewards, advantages, strict=True):
        print(f"reward {reward:.0f}  advantage {advantage:+.2f}  {text}")

    for reward in ("soft", "format", "random"):  # other rules and controls: docs/rewards.md
        print(f"{reward:<17}:", [round(r, 2) for r in vote(TEXTS, reward=reward).rewards])

    similar = vote(WORDS, task="text", question="Why is the sky blue?")
    print("most central     :", similar.pseudo_label)
    print("mean similarity  :", [round(r, 2) for r in similar.rewards])


if __name__ == "__main__":
    main()
