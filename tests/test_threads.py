import os

import pytest

from ttrl import threads
from ttrl.cli.main import main


def test_what_the_user_has_set_stays():
    environment = {"OMP_NUM_THREADS": "7"}
    threads.set_threads(environment)
    assert environment == {"OMP_NUM_THREADS": "7", "OMP_WAIT_POLICY": "passive"}


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Four processors on two cores, in a container without a quota."""
    for cpu in range(4):
        about = tmp_path / f"cpu{cpu}/topology"
        about.mkdir(parents=True)
        (about / "thread_siblings_list").write_text(f"{cpu % 2},{cpu % 2 + 2}\n")
    monkeypatch.setattr(threads, "_CPUS", tmp_path)
    monkeypatch.setattr(threads, "_CGROUP", tmp_path)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    return tmp_path


def test_hyperthreads_of_one_core_are_one_thread(machine, monkeypatch):
    assert threads.usable_cores() == 2
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 3}, raising=False)
    assert threads.usable_cores() == 1


@pytest.mark.parametrize(
    ("quota", "expected"), [("max 100000", 2), ("150000 100000", 1), ("20000 100000", 1), ("?", 2)]
)
def test_a_containers_quota_counts_in_whole_cores(machine, quota, expected):
    (machine / "cpu.max").write_text(quota + "\n")
    assert threads.usable_cores() == expected


def test_the_older_form_of_a_quota_is_read_too(machine):
    (machine / "cpu").mkdir()
    (machine / "cpu/cpu.cfs_quota_us").write_text("100000\n")
    (machine / "cpu/cpu.cfs_period_us").write_text("100000\n")
    assert threads.usable_cores() == 1
    (machine / "cpu/cpu.cfs_quota_us").write_text("-1\n")
    assert threads.usable_cores() == 2


def test_config_tells_threads_and_how_they_wait(capsys, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    assert main(["config"]) == 0
    told = [line.split() for line in capsys.readouterr().out.splitlines() if "OMP_" in line]
    assert told == [
        ["#", "OMP_NUM_THREADS=3", "#", "environment"],
        ["#", "OMP_WAIT_POLICY=passive", "#", "default"],
    ]
