"""The library without its command: a model, a sampler, a policy and a plain for loop.

Run: python examples/03_own_loop.py [STEPS]
"""

import sys

from ttrl import get_task
from ttrl.config import RunConfig
from ttrl.consensus.rules import make_rule
from ttrl.data.prompts import Prompter
from ttrl.data.word_problems import word_problems
from ttrl.engine.learner import make_learner
from ttrl.engine.models import find_model, load_model, pick_device
from ttrl.engine.sampler import NativeSampler
from ttrl.rl.algorithms.registry import make_algorithm
from ttrl.training.step import ttrl_step


def main(steps: int) -> None:
    config = RunConfig(votes_per_question=32, trained_per_question=16, learning_rate=3e-4, seed=1)
    problems = word_problems(kind="chain", split="unlabeled", count=8, seed=0, difficulty=4)
    questions = [problem.question for problem in problems]  # their answers stay behind

    loaded = load_model(find_model("ttrl-tiny"), dtype="float32", device=pick_device("auto"))
    task = get_task("math")
    prompter = Prompter(loaded.tokenizer, template=loaded.prompt_template, task=task)
    sampler = NativeSampler(loaded.model, loaded.tokenizer, prompter, max_rows=256)
    rule = make_rule(config)  # agreement; or one of your own: ttrl.RewardRule
    algorithm = make_algorithm(config)  # or an object of your own: ttrl.rl.algorithms.interface
    learner = make_learner(loaded.model, algorithm, config)  # trains the sampler's own weights
    for step in range(steps):
        result = ttrl_step(
            questions,
            sampler=sampler,
            learner=learner,
            task=task,
            rule=rule,
            algorithm=algorithm,
            config=config,
            step=step,
        )
        ratio = result.metrics["consensus/majority_ratio"]
        print(f"step {step + 1}: majority ratio {ratio:.3f}", result.skipped or "", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
