"""Every part of verl that our files use and that verl does not promise, with its parameters."""

from __future__ import annotations

import importlib
import inspect
from importlib.metadata import version

import pytest

from ttrl.overlays.pins import VERL as PIN

VERL = PIN.wanted
V1 = "verl.trainer.ppo.v1"
PARTS = {
    f"{V1}:register_trainer": ("trainer.py", "name"),
    f"{V1}:get_trainer_cls": ("trainer.py", "name"),
    f"{V1}:PPOTrainerSync.__init__": ("trainer.py", "self config"),
    f"{V1}:PPOTrainerSync._build_replay_buffer": ("trainer.py", "self"),
    f"{V1}:PPOTrainerSync._balance_batch": (
        "trainer.py", "self batch metrics logging_prefix keep_minibatch",
    ),
    "verl.trainer.main_ppo:run_ppo": ("launch.py", "config task_runner_class"),
    "verl.trainer.main_ppo:TaskRunnerV1.__ray_metadata__.modified_class.__ray_actor_class__.run": (
        "launch.py", "self config _ray_trace_ctx",  # the last one is Ray's
    ),
    "verl.trainer.ppo.utils:need_critic": ("launch.py", "config"),
    "verl.trainer.ppo.utils:need_reference_policy": ("launch.py", "config"),
    "verl.utils.config:validate_config": ("launch.py", "config use_reference_policy use_critic"),
    "verl.utils.device:auto_set_device": ("launch.py", "config"),
    "verl.experimental.reward_loop.reward_manager.naive:NaiveRewardManager.run_single": (
        "reward.py", "self data",
    ),
    "transfer_queue:kv_batch_get": ("trainer.py", "keys partition_id select_fields"),
    "transfer_queue:kv_batch_put": ("trainer.py", "keys partition_id fields tags data_parser"),
    "transfer_queue:kv_clear": ("trainer.py", "keys partition_id"),
    "transfer_queue:KVBatchMeta.select_keys": ("trainer.py", "self keys_to_select"),
}  # fmt: skip
SOURCES = {
    "verl.trainer.ppo.core_algos:get_adv_estimator_fn": (
        "launch.py", "if name not in ADV_ESTIMATOR_REGISTRY",
    ),
    f"{V1}.agent_loop_tq:AgentLoopWorkerTQ.__ray_metadata__.modified_class._run_prompt": (
        "rows.py", 'prompt.pop("__rollout_n__"',
    ),
    f"{V1}.agent_loop_tq:AgentLoopWorkerTQ.__ray_metadata__.modified_class._agent_loop_postprocess": (
        "batch_vote.py", 'f"{uid}_{session_id}_{i}"',
    ),
    f"{V1}:PPOTrainerSync.__init__": ("trainer.py", "self._build_replay_buffer()"),
    f"{V1}:PPOTrainerSync._step_once": ("trainer.py", "self._balance_batch(batch"),
    f"{V1}.replay_buffer:ReplayBuffer._materialize_batch": ("trainer.py", "KVBatchMeta("),
}  # fmt: skip
"""Where what a function does is relied on: a line of it."""


def find(path: str, file: str) -> object:
    """The part that `module:name.name` names.

    Raises:
        AssertionError: it is gone.
    """
    module, _, names = path.partition(":")
    try:
        found: object = importlib.import_module(module)
        for name in names.split("."):
            found = getattr(found, name)
    except (ImportError, AttributeError) as error:
        raise AssertionError(
            f"{path} is gone from verl {version('verl')} ({error}), and ttrl/overlays/verl/{file} uses it."
        ) from None
    return found


def check_parameters(path: str, file: str, wanted: str) -> None:
    found = " ".join(inspect.signature(find(path, file)).parameters)  # type: ignore[arg-type]
    assert found == wanted, (
        f"{path} of verl {version('verl')} has the parameters ({found}), wanted ({wanted}): "
        f"ttrl/overlays/verl/{file} calls or overrides it."
    )


@pytest.mark.parametrize("path", PARTS)
def test_what_we_use_of_verl_is_there_with_its_parameters(path):
    check_parameters(path, *PARTS[path])


@pytest.mark.parametrize("path", SOURCES)
def test_what_we_rely_on_still_stands_in_the_source(path):
    file, line = SOURCES[path]
    assert line in inspect.getsource(find(path, file)), (  # type: ignore[arg-type]
        f"{path} of verl {version('verl')} has no longer {line!r}, which ttrl/overlays/verl/{file} relies on."
    )


def test_the_tested_version_is_the_pinned_one():
    assert version("verl") == VERL


def test_a_part_that_is_gone_or_moved_is_told_with_its_version_and_our_file():
    with pytest.raises(AssertionError, match=rf"verl:gone is gone from verl {VERL}.*trainer\.py"):
        find("verl:gone", "trainer.py")
    with pytest.raises(
        AssertionError, match=r"parameters \(name\), wanted \(name more\).*trainer\.py"
    ):
        check_parameters(f"{V1}:register_trainer", "trainer.py", "name more")
