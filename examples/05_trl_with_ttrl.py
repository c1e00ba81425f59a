"""The TRL script of 04_trl_before.py, improving on the same questions without their labels.

Run: python examples/05_trl_with_ttrl.py MODEL [STEPS] (a folder or a hub id; pip install 'ttrl[trl]')
"""

import sys
import tempfile

from datasets import Dataset
from trl import GRPOConfig, GRPOTrainer

from ttrl.overlays.trl import Overlay

PROBLEMS = (
    ("Ida has 4 eggs. She buys 7, uses 3, finds 6 and drops 5.", "9"),
    ("Leo has 9 cards. He lends 6, wins 5, loses 7 and picks 8.", "9"),
    ("Amy has 6 plums. She finds 9, sells 8, gets 4 and uses 7.", "4"),
    ("Dan has 2 coins. He wins 8, finds 7, drops 9 and gets 5.", "13"),
)


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
ttrl = Overlay(args, dataset, votes_per_question=32)
trainer = GRPOTrainer(
    model=sys.argv[1],
    args=args,
    train_dataset=ttrl.dataset,
    reward_funcs=ttrl.reward,
    rollout_func=ttrl.rollout,
)
trainer.train()
