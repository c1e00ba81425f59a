from ttrl.seeding import derive_seed


def test_the_same_path_gives_the_same_seed_on_every_machine():
    assert derive_seed(0, "sample", 3, "q-1", 7) == 4482271445647377790


def test_every_part_of_the_path_counts():
    paths = [(0,), (1,), ("0",), (0, "a"), ("a", 0), (0, "ab", "c"), (0, "a", "bc"), (0, "abc")]
    assert len({derive_seed(*path) for path in paths}) == len(paths)


def test_seeds_are_not_negative_and_fit_63_bits():
    assert all(0 <= derive_seed("s", i) < 2**63 for i in range(1000))
