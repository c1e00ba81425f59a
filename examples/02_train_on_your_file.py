"""Train on a file of your own, then look at the result.

Run: python examples/02_train_on_your_file.py [KEY=VALUE ...] (the options of ttrl train, such as steps=40)

The answers in the file are for evaluation only: without --answers the same weights come out.
"""

import json
import sys
import tempfile
from pathlib import Path

import ttrl

ROWS = (
    ("Ida has 4 eggs. She buys 7, uses 3, finds 6, drops 5, gets 8 and sells 9.", "eggs", 8),
    ("Leo has 9 cards. He lends 6, wins 5, loses 7, picks 8, buys 2 and uses 4.", "cards", 7),
    ("Amy has 6 plums. She finds 9, sells 8, gets 4, uses 7, buys 9 and loses 3.", "plums", 10),
    ("Dan has 2 coins. He wins 8, finds 7, drops 9, gets 5, lends 6 and buys 3.", "coins", 10),
    ("Zoe has 7 beads. She loses 4, picks 9, buys 6, uses 8, sells 3 and finds 5.", "beads", 12),
    ("Max has 5 stamps. He gets 6, lends 9, buys 8, wins 4, drops 7 and picks 3.", "stamps", 10),
    ("Eva has 8 shells. She drops 2, finds 3, sells 6, gets 9, buys 7 and lends 5.", "shells", 14),
    ("Sam has 3 books. He buys 9, loses 8, wins 7, uses 6, finds 9 and sells 5.", "books", 9),
)


def main(settings: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        questions = Path(folder) / "questions.jsonl"
        with questions.open("w", encoding="utf-8") as file:
            for story, things, answer in ROWS:
                pronoun = story.split(". ")[1].split()[0].lower()
                question = f"{story} How many {things} does {pronoun} have now?"
                file.write(json.dumps({"question": question, "answer": answer}) + "\n")

        given = {"steps": 20, "questions_per_step": 8, "out": Path(folder) / "run"} | settings
        run = ttrl.train(questions=questions, answers="answer", on_message=print, **given)

        print("\nset          metric            base   final")
        for name, pair in run.metrics.items():
            final = pair["final"].to_json()
            for metric, before in pair["base"].to_json().items():
                if isinstance(before, float):
                    print(f"{name:<12} {metric:<15} {before:>6.3f}  {final[metric]:>6.3f}")


if __name__ == "__main__":
    main(dict(part.split("=", 1) for part in sys.argv[1:]))
