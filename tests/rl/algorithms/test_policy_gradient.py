"""What all algorithms but DPO share: KL, entropy, caps. Each number by a loop over tokens."""

import math
from dataclasses import replace

import pytest

A = 0.5**0.5
RATIOS = [[1.5, 1.0, 0.5], [0.5, 4.0]]
LOGPROBS = [[math.log(r) - 1 for r in row] for row in RATIOS]
REFERENCE = [[-1.2, -0.7, -2.0], [-1.1, -0.4]]
ENTROPY = [[0.5, 0.25, 1.0], [2.0, 0.125]]
VALUES = {(5, 6, 7): [0.5, 0.25, 0.5], (8, 9): [0.25, 0.5]}
IMPLICIT = {(5, 6, 7): [0.3, 0.1, 0.2], (8, 9): [-0.1, -0.3]}
S = 0.3**0.5
# with lambda 1 PPO's are .5 .75 .5 and -.25 -.5: mean .2, squares .09 + .3025 + .09 + .2025 + .49
G = (1.175 / 4) ** 0.5
# rewards 1 and 0, worked out in each algorithm's own test
ADVANTAGES = {
    "grpo": [[A] * 3, [-A] * 2],
    "dr-grpo": [[0.5] * 3, [-0.5] * 2],
    "dapo": [[A] * 3, [-A] * 2],
    "gspo": [[A] * 3, [-A] * 2],
    "rloo": [[1.0] * 3, [-1.0] * 2],
    "reinforce++": [[0.4 / S] * 3, [-0.6 / S] * 2],
    "ppo": [[0.3 / G, 0.55 / G, 0.3 / G], [-0.45 / G, -0.7 / G]],
    "prime": [[2.2, 1.7, 1.4], [-1.8, -1.5]],
}
CLIPS = {"dapo": (0.2, 0.28), "gspo": (3e-4, 4e-4)}
DEFAULT_AGGREGATION = {"dr-grpo": "constant", "gspo": "sequence-mean", "rloo": "sequence-mean"}
RATIO_OF = {
    "gspo": [[0.75 ** (1 / 3)] * 3, [2**0.5] * 2],
    "rloo": [[0.75] * 3, [2.0] * 2],
}


def divergence(own, base, estimator):
    d = base - own
    return {"k1": -d, "k2": d * d / 2, "k3": math.exp(d) - d - 1}[estimator]


def by_loop(
    name, *, aggregation=None, dual=0.0, kl=0.0, estimator="k3", bonus=0.0, most=0.0, caps=None
):
    """The loss in plain arithmetic, one token after another."""
    low, high = CLIPS.get(name, (0.2, 0.2))
    aggregation = aggregation or DEFAULT_AGGREGATION.get(name, "token-mean")
    ratios = RATIO_OF.get(name, RATIOS)
    total = 0.0
    for i, length in enumerate((3, 2)):
        share = {"token-mean": 1 / 5, "sequence-mean": 1 / (2 * length), "constant": 1 / 20}[
            aggregation
        ]
        for t in range(length):
            advantage, ratio = ADVANTAGES[name][i][t], ratios[i][t]
            if most:
                advantage = max(-most, min(most, advantage))
            bounded = max(1 - low, min(1 + high, ratio))
            gain = min(ratio * advantage, bounded * advantage)
            if dual and advantage < 0:
                gain = max(gain, dual * advantage)
            weight = caps[i][t] if caps else 1.0
            token = -gain * weight
            token += kl * divergence(LOGPROBS[i][t], REFERENCE[i][t], estimator)
            token -= bonus * ENTROPY[i][t]
            total += share * token
    return total


@pytest.fixture
def models(fake_models):
    return fake_models(critic=VALUES, implicit=IMPLICIT)


@pytest.fixture
def loss(make, models, two, evaluate):
    def found(name, **settings):
        algorithm = make(name, **settings)
        samples, _ = algorithm.training_samples([two()], models)
        return evaluate(algorithm, samples, RATIOS, reference=REFERENCE, entropy=ENTROPY)

    return found


@pytest.mark.parametrize("name", ADVANTAGES)
@pytest.mark.parametrize("aggregation", [None, "token-mean", "sequence-mean", "constant"])
def test_every_aggregation_of_every_algorithm(loss, name, aggregation):
    settings = {} if aggregation is None else {"loss_aggregation": aggregation}
    expected = by_loop(name, aggregation=aggregation)
    assert loss(name, **settings).loss == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ADVANTAGES)
def test_dual_clip(loss, name):
    assert loss(name, dual_clip=1.3).loss == pytest.approx(by_loop(name, dual=1.3), abs=1e-5)
    assert loss(name, dual_clip=3.0).loss == pytest.approx(by_loop(name, dual=3.0), abs=1e-5)


@pytest.mark.parametrize("name", ADVANTAGES)
@pytest.mark.parametrize("estimator", ["k2", "k3"])
def test_kl_in_the_loss(loss, name, estimator):
    found = loss(name, kl_coefficient=0.5, kl_in="loss", kl_estimator=estimator)
    assert found.loss == pytest.approx(by_loop(name, kl=0.5, estimator=estimator), abs=1e-5)
    expected = sum(
        divergence(own, base, estimator)
        for mine, other in zip(LOGPROBS, REFERENCE, strict=True)
        for own, base in zip(mine, other, strict=True)
    )
    assert found.sums["train/kl"] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("name", ADVANTAGES)
def test_entropy_bonus(loss, name):
    found = loss(name, entropy_coefficient=0.1)
    assert found.loss == pytest.approx(by_loop(name, bonus=0.1), abs=1e-5)
    assert found.sums["train/entropy"] == pytest.approx(3.875)


@pytest.mark.parametrize("name", ADVANTAGES)
def test_advantage_clip(loss, name):
    for most in (0.6, 1.0):
        found = loss(name, advantage_clip=most).loss
        assert found == pytest.approx(by_loop(name, most=most), abs=1e-5)


def test_the_shared_part_in_bare_numbers(loss):
    # surrogate of GRPO 0.42 A; dual clip 3 makes -4 a -3: 0.22 A; clip at 0.5 makes A 0.5
    assert loss("grpo").loss == pytest.approx(0.42 * A, abs=1e-5)
    assert loss("grpo", dual_clip=3.0).loss == pytest.approx(0.22 * A, abs=1e-5)
    assert loss("grpo", dual_clip=3.0).sums["train/clip_fraction"] == 3
    assert loss("grpo", advantage_clip=0.5).loss == pytest.approx(0.21, abs=1e-5)
    # entropies sum to 3.875 over 5 tokens
    assert loss("grpo", entropy_coefficient=0.1).loss == pytest.approx(0.42 * A - 0.0775, abs=1e-5)


@pytest.mark.parametrize("name", ADVANTAGES)
def test_importance_cap(make, models, two, evaluate, name):
    """The ratio is to the trainer's own policy, and its action weighs min(pi_old / pi_sampler, cap)."""
    algorithm = make(name, importance_cap=2.0)
    # old policy / sampler of the tokens; of the whole completions 2.25 and 0.25
    caps = {
        "rloo": [[2.0] * 3, [0.25] * 2],
        "gspo": [[2.0] * 3, [0.25] * 2],
    }.get(name, [[1.5, 2.0, 0.5], [1.0, 0.25]])
    factors = [[1.5, 3.0, 0.5], [1.0, 0.25]]
    old = [[math.log(f) - 1 for f in row] for row in factors]
    models.own = dict(zip(VALUES, old, strict=True))
    samples, _ = algorithm.training_samples([two()], models)
    assert [list(s.importance) for s in samples] == [pytest.approx(row) for row in caps]
    assert [s.old_logprobs for s in samples] == [tuple(row) for row in old]
    new = [
        [o + math.log(r) for o, r in zip(*rows, strict=True)]
        for rows in zip(old, RATIOS, strict=True)
    ]
    found = evaluate(algorithm, samples, logprobs=new)
    assert found.loss == pytest.approx(by_loop(name, caps=caps), abs=1e-5)


def test_an_importance_of_any_size_is_finite(make, models, two):
    models.own = {(5, 6, 7): [800.0, -1.0, -900.0], (8, 9): [-1.0, -1.0]}
    samples, _ = make("grpo", importance_cap=5.0).training_samples([two()], models)
    assert samples[0].importance == (5.0, 1.0, 0.0)


@pytest.mark.parametrize(
    ("estimator", "first", "second"),
    # log pi_ref - log pi of the sampler, which is -1: -.2 .3 -1 and -.1 .6
    [
        ("k1", 0.2 - 0.3 + 1.0 + 0.0, 0.1 - 0.6),
        ("k2", (0.04 + 0.09 + 1.0) / 2, (0.01 + 0.36) / 2),
        (
            "k3",
            sum(math.exp(d) - d - 1 for d in (-0.2, 0.3, -1.0)),
            sum(math.exp(d) - d - 1 for d in (-0.1, 0.6)),
        ),
    ],
)
@pytest.mark.parametrize("name", ["grpo", "dr-grpo", "dapo", "gspo", "rloo"])
def test_kl_in_the_reward_counts_with_its_sum(
    make, fake_models, two, name, estimator, first, second
):
    algorithm = make(name, kl_coefficient=0.5, kl_in="reward", kl_estimator=estimator)
    assert algorithm.needs_reference and not algorithm.wants_reference
    models = fake_models(reference=dict(zip(VALUES, REFERENCE, strict=True)))
    samples, _ = algorithm.training_samples([two()], models)
    difference = (1 - 0.5 * first) - (0 - 0.5 * second)
    assert difference > 0
    expected = {"dr-grpo": difference / 2, "rloo": difference}.get(
        name, A
    )  # over its own deviation
    assert samples[0].advantages == pytest.approx((expected,) * 3, abs=1e-5)
    assert samples[1].advantages == pytest.approx((-expected,) * 2, abs=1e-5)
    assert math.fsum(samples[0].penalties) == pytest.approx(0.5 * first, abs=1e-6)


def test_questions_without_variance_learn_from_a_kl_penalty(make, fake_models, two):
    algorithm = make("grpo", kl_coefficient=0.5, kl_in="reward", kl_estimator="k2")
    models = fake_models(reference=dict(zip(VALUES, REFERENCE, strict=True)))
    samples, _ = algorithm.training_samples([two((1.0, 1.0))], models)
    assert samples[0].advantages[0] < 0 < samples[1].advantages[0]  # 1.13 / 2 against 0.37 / 2


@pytest.mark.parametrize("name", ADVANTAGES)
def test_what_is_asked_of_the_models_follows_from_the_settings(make, name):
    plain = make(name)
    assert plain.needs_reference == (name == "prime")
    assert not plain.wants_reference and not plain.wants_entropy
    with_kl = make(
        name, kl_coefficient=0.1, kl_in="loss", kl_estimator="k3", entropy_coefficient=0.1
    )
    assert with_kl.needs_reference and with_kl.wants_reference and with_kl.wants_entropy


@pytest.mark.parametrize("name", ADVANTAGES)
def test_weights_stand_for_equal_completions_in_the_loss(make, models, two, evaluate, name):
    algorithm = make(
        name, kl_coefficient=0.5, kl_in="loss", kl_estimator="k3", entropy_coefficient=0.1
    )
    samples, _ = algorithm.training_samples([two()], models)
    one, other = samples
    rows = {"reference": REFERENCE, "entropy": ENTROPY}
    folded = evaluate(algorithm, [replace(one, weight=3.0), other], RATIOS, **rows)
    again = {k: [v[0], v[0], v[0], v[1]] for k, v in rows.items()}
    whole = evaluate(algorithm, [one, one, one, other], [RATIOS[0]] * 3 + RATIOS[1:], **again)
    assert folded.loss == pytest.approx(whole.loss, abs=1e-6)
    assert folded.gradient[0] == pytest.approx([3 * g for g in whole.gradient[0]], abs=1e-6)
    assert folded.gradient[1] == pytest.approx(whole.gradient[3], abs=1e-6)
    assert folded.sums == pytest.approx(whole.sums, abs=1e-5)
