import pytest
import torch

from ttrl.answers.tasks import get_task
from ttrl.consensus.majority import MajorityReward
from ttrl.rl.algorithms import Grpo
from ttrl.rl.batch import micro_batches

GRPO = Grpo(clip_ratio=0.2, kl_coefficient=0.0, divide_by_std=True)


@pytest.fixture
def score(make_group):
    return lambda texts: MajorityReward(tie_seed=0)(get_task("math"), make_group(texts))


def test_equal_completions_are_one_sample_with_their_number_as_weight(score):
    samples = GRPO.training_samples(
        [score([r"\boxed{1}", r"\boxed{2}", r"\boxed{1}", r"a \boxed{1}"])]
    )
    told = [(s.completion.text, s.weight) for s in samples]
    assert told == [(r"\boxed{1}", 2), (r"\boxed{2}", 1), (r"a \boxed{1}", 1)]
    # rewards 1 0 1 1: mean 3/4, std 1/2
    assert [s.advantage for s in samples] == pytest.approx([0.5, -1.5, 0.5], abs=1e-5)


def test_groups_without_variance_are_left_out(score):
    assert GRPO.training_samples([score([r"\boxed{1}"] * 4), score(["?"] * 4)]) == []


def test_on_policy_the_loss_is_minus_the_mean_advantage_per_token(score):
    samples = GRPO.training_samples([score([r"\boxed{1}", r"\boxed{1}", r"\boxed{22}"])])
    (batch,) = micro_batches(samples, token_budget=999, layout="trees", device=torch.device("cpu"))
    loss = GRPO.loss(batch, batch.old_logprobs, None)
    # tokens with the end: 10, 10, 11; advantages 1/sqrt(3), twice, and -2/sqrt(3)
    a = 1 / 3**0.5
    assert loss.value.item() == pytest.approx(-(20 * a - 11 * 2 * a) / 31, abs=1e-5)
    assert loss.clipped.item() == 0 and loss.kl.item() == 0


def test_the_kl_term_is_added_with_its_weight(score):
    samples = GRPO.training_samples([score([r"\boxed{1}", r"\boxed{1}", r"\boxed{2}"])])
    (batch,) = micro_batches(samples, token_budget=999, layout="trees", device=torch.device("cpu"))
    with_kl = Grpo(clip_ratio=0.2, kl_coefficient=0.5, divide_by_std=True)
    reference = batch.old_logprobs - 0.1
    plain = GRPO.loss(batch, batch.old_logprobs, None).value
    loss = with_kl.loss(batch, batch.old_logprobs, reference)
    k3 = torch.exp(torch.tensor(-0.1)) + 0.1 - 1
    torch.testing.assert_close(loss.kl, k3)
    torch.testing.assert_close(loss.value, plain + 0.5 * k3)
