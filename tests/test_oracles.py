"""What the reference says of spellings and of stored runs is said still: see benchmarks/oracles."""

import copy
import json
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.oracles import keys, pages, reading, runs, stored

SHARE = 3
"""One spelling and one vote in so many: `python -m benchmarks.oracles keys` asks all of them."""


def test_keys_and_votes_are_those_of_the_reference() -> None:
    before = keys.reference(share=SHARE)
    assert sum(map(len, before["keys"].values())) > 6_000 and len(before["votes"]) > 200
    assert keys.compare(before, keys.record(share=SHARE)) == []


@pytest.mark.parametrize("scene", pages.SCENES)
def test_a_page_says_what_the_reference_says(scene: str) -> None:
    before = {scene: pages.reference()[scene]}
    assert pages.compare(before, pages.record([scene])) == []


def test_a_key_that_differs_is_named() -> None:
    before = keys.reference()
    after = copy.deepcopy(before)
    after["keys"]["answer_key"]["0.5"] = "('n', 1, 3)"
    lines = keys.compare(before, after)
    assert lines == ["  keys of answer_key: 1 differ", "    '0.5': ('n', 1, 2) -> ('n', 1, 3)"]


def test_a_reward_that_differs_is_named() -> None:
    before = keys.reference()
    after = copy.deepcopy(before)
    after["votes"][0][3]["rewards"][1] += 0.5
    lines = keys.compare(before, after)
    assert len(lines) == 2 and "rewards[1]" in lines[1]


def page(*sections: str, numbers: str = "[1, null, 2.5]") -> reading.Found:
    data = f'{{"values": {numbers}, "rows": [["q", [3], 2]], "unit": "tokens"}}'
    return reading.of_page(
        f"<style>p {{}}</style>{''.join(sections)}<script>var x;</script>"
        f'<script type="application/json">{data}</script>'
    )


FIRST = "<h2>Verdict</h2><p>It <b>rose</b> by 3&nbsp;points. <i>Nothing</i> else.</p>"
SECOND = (
    "<table><tr><th>set</th></tr></table>"
    "<table><tr><th>held-out</th><td>0.5<small>0.4–0.6</small></td><td aria-hidden='true'>x</td></tr></table>"
)


def test_a_page_is_read_without_its_markup() -> None:
    found = page(FIRST, SECOND)
    assert found["texts"] == ["Verdict", "It rose by 3 points.", "Nothing else."]
    assert found["tables"] == [["set"], ["held-out | 0.5 0.4–0.6"]]
    assert found["series"] == ["[1, null, 2.5]"] and found["cards"] == ['["q", [3], 2]']
    assert found["words"] == ["tokens"]


def compared(before: reading.Found, after: reading.Found) -> list[str]:
    return pages.compare({"a": {"x.html": before}}, {"a": {"x.html": after}})


def test_sections_may_change_their_order_and_their_markup() -> None:
    moved = page(SECOND, FIRST.replace("<b>", "<em>").replace("</b>", "</em>"))
    assert compared(page(FIRST, SECOND), moved) == []


def test_what_is_missing_new_or_changed_is_named() -> None:
    lost = page(FIRST.replace("rose", "fell"), SECOND.replace("0.5", "0.7"), numbers="[1, null, 3]")
    assert compared(page(FIRST, SECOND), lost) == [
        "  a: x.html: 3 differ",
        "    sentence changed: It rose by 3 points.\n        now: It fell by 3 points.",
        "    series of a chart changed: [1, null, 2.5]\n        now: [1, null, 3]",
        "    in the table below 'held-out | 0.5 0.4–0.6'\n"
        "        row changed: held-out | 0.5 0.4–0.6\n        now: held-out | 0.7 0.4–0.6",
    ]


def test_a_tensor_that_differs_is_named_and_metadata_are_not(tmp_path: Path) -> None:
    def file(name: str, value: int, **metadata: str) -> Path:
        header = {
            "__metadata__": metadata,
            "a": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
            "b": {"dtype": "U8", "shape": [2], "data_offsets": [1, 3]},
        }
        text = json.dumps(header).encode()
        path = tmp_path / name
        path.write_bytes(len(text).to_bytes(8, "little") + text + bytes([7, value, 9]))
        return path

    first, same, other = file("1", 1), file("2", 1, format="pt"), file("3", 2)
    assert runs.tensors(first) == runs.tensors(same)
    lines = stored.differences(runs.tensors(first), runs.tensors(other))
    assert len(lines) == 1 and lines[0].startswith("b: ")


@pytest.mark.parametrize(
    ("key", "is_left_out"),
    [
        ("sample/seconds", True),
        ("wall_seconds", True),
        ("peak_rss_bytes", True),
        ("train/loss", False),
    ],
)
def test_times_and_memory_are_left_out_of_runs(key: str, is_left_out: bool) -> None:
    assert runs.is_measured(key) is is_left_out


def test_two_values_that_differ_are_told_by_place() -> None:
    before = {"a": [1, {"b": None}], "c": "x"}
    after = {"a": [1, {"b": 2.0}], "d": True}
    assert stored.differences(before, after) == [
        "a[1].b: null -> 2.0",
        'c: "x" -> (missing)',
        "d: (missing) -> true",
    ]
