import pytest

from ttrl.data.sets import set_names


@pytest.mark.parametrize(
    ("files", "names"),
    [
        (["data/AIME 24.json"], ["transfer_AIME_24"]),
        (["a/q.jsonl", "b/q.csv", "Q.json"], ["transfer_q", "transfer_q_2", "transfer_Q_3"]),
        (["hub:org/gsm8k/main:test", "hub:org/set@v1.2:train"],
         ["transfer_gsm8k_main_test", "transfer_set_v1_2_train"]),
        (["../../etc/pass wd.csv", "\u95ee\u9898.json"], ["transfer_pass_wd", "transfer_file"]),
    ],
)  # fmt: skip
def test_names_are_safe_in_a_file_name_and_no_two_alike(files, names):
    assert set_names(files) == names
