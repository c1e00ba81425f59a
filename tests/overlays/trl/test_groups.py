from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ttrl.errors import ConfigError
from ttrl.overlays.trl.rollout import check_whole_groups

small = st.integers(1, 96)


def fits(per_device: int, steps: int, n: int) -> bool:
    return per_device * steps % n == 0


@given(small, small, st.integers(2, 96))
def test_a_process_that_holds_whole_groups_passes_and_no_other(
    per_device: int, steps: int, n: int
) -> None:
    try:
        check_whole_groups(per_device=per_device, steps_per_generation=steps, num_generations=n)
        passed = True
    except ConfigError:
        passed = False
    assert passed == fits(per_device, steps, n)


@given(small, small, st.integers(2, 96))
def test_every_number_that_the_message_names_fits(per_device: int, steps: int, n: int) -> None:
    if fits(per_device, steps, n):
        return
    with pytest.raises(ConfigError) as refused:
        check_whole_groups(per_device=per_device, steps_per_generation=steps, num_generations=n)
    message = str(refused.value)
    rows = per_device * steps
    assert f"={per_device} x steps_per_generation={steps} = {rows} completions" in message
    (products,) = re.findall(r"Make the product ([\d or]+):", message)
    named = [int(product) for product in products.split(" or ")]
    assert all(product % n == 0 and abs(product - rows) < n for product in named)
    assert any(product > rows for product in named) and 0 not in named
    (kept, mended), *_ = re.findall(
        r"per_device_train_batch_size=(\d+) with steps_per_generation=(\d+) fits", message
    )
    assert int(kept) == per_device and int(mended) > steps and fits(per_device, int(mended), n)
    (accumulated,) = re.findall(r"gradient_accumulation_steps=(\d+)", message)
    assert accumulated == mended
    for other in re.findall(r"or num_generations=(\d+)\.", message):
        assert 2 <= int(other) < n and fits(per_device, steps, int(other))


def test_the_numbers_by_hand() -> None:
    with pytest.raises(ConfigError) as refused:
        check_whole_groups(per_device=6, steps_per_generation=2, num_generations=8)
    message = str(refused.value)
    assert "Make the product 8 or 16" in message
    assert "per_device_train_batch_size=6 with steps_per_generation=4 fits" in message  # 24 = 3 x 8
    assert message.endswith("or num_generations=6.")
