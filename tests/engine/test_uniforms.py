import numpy as np
from scipy import stats

from ttrl.engine.uniforms import uniforms
from ttrl.seeding import derive_seed

MASK = (1 << 64) - 1


def splitmix(state):
    z = (state + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


def test_it_is_splitmix64_whose_first_output_from_seed_zero_is_published():
    assert splitmix(0) == 0xE220A8397B1DCDAF
    for seed in (0, 1, 2**63 - 1, derive_seed("x")):
        for position in (0, 1, 77):
            state = (seed + position * 0x9E3779B97F4A7C15) & MASK
            expected = (splitmix(state) >> 11) * 2.0**-53
            assert uniforms(np.array([seed]), np.array([position])).item() == expected


def test_numbers_are_uniform_within_and_across_streams():
    streams = np.array([derive_seed("stream", i) for i in range(2000)])
    block = np.stack([uniforms(streams, np.full(2000, t)) for t in range(20)])
    assert block.min() >= 0 and block.max() < 1
    assert stats.kstest(block.ravel(), "uniform").pvalue > 1e-3
    pairs = stats.spearmanr(block[0], block[1]).pvalue
    assert pairs > 1e-3
