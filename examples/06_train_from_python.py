"""Train, evaluate and report from Python: each is a call that returns a value.

Run: python examples/06_train_from_python.py
"""

from pathlib import Path
from tempfile import TemporaryDirectory

import ttrl

with TemporaryDirectory() as folder:
    questions = {"limit": 8, "difficulty": 5, "samples": 16}
    run = ttrl.train(
        **questions, steps=2, out=Path(folder) / "run", on_step=lambda done: print(done.step)
    )
    for name, pair in run.metrics.items():
        print(name, "before:", pair["base"].avg[16], "after:", pair["final"].avg[16])
    trained = ttrl.evaluate(model=Path(run.weights) / "model", **questions, seed=1)
    print("another draw:", trained.evaluations["heldout"].metrics.maj[16])
    print(ttrl.report(run.path), "is written.")
