"""A TRL script as it may be yours: GRPO with labels. 05_trl_with_ttrl.py is the same without them.

Run: python examples/04_trl_before.py MODEL [STEPS] (a folder or a hub id; pip install 'ttrl[trl]')
"""

import re
import sys
import tempfile

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

PROBLEMS = (
    ("Ida has 4 eggs. She buys 7, uses 3, finds 6 and drops 5.", "9"),
    ("Leo has 9 cards. He lends 6, wins 5, loses 7 and picks 8.", "9"),
    ("Amy has 6 plums. She finds 9, sells 8, gets 4 and uses 7.", "4"),
    ("Dan has 2 coins. He wins 8, finds 7, drops 9 and gets 5.", "13"),
)


def correct(completions, answer, **_):
    found = [re.findall(r"\\boxed\{(.*?)\}", text) for text in completions]
    return [float(f[-1:] == [a]) for f, a in zip(found, answer, strict=True)]


rows = [{"prompt": f"{p} What is left? Answer in \\boxed{{}}.\n", "answer": a} for p, a in PROBLEMS]
dataset = Dataset.from_list(rows)
args = GRPOConfig(
    output_dir=tempfile.mkdtemp(),
    per_device_train_batch_size=8,
    gradient_accumulation_steps=2,
    num_generations=8,
    max_completion_length=96,
    max_steps=int(sys.argv[2]) if len(sys.argv) > 2 else 10,
    logging_steps=1,
    save_strategy="no",
    report_to="none",
    bf16=False,
)
trainer = GRPOTrainer(
    model=sys.argv[1],
    args=args,
    train_dataset=dataset,
    reward_funcs=correct,
)
trainer.train()
