from ttrl.evaluate.curves import curve_sizes


def test_curves_double_and_end_at_all_completions() -> None:
    assert curve_sizes(1) == [1]
    assert curve_sizes(2) == [1, 2]
    assert curve_sizes(6) == [1, 2, 4, 6]
    assert curve_sizes(64) == [1, 2, 4, 8, 16, 32, 64]
