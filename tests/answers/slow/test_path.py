r"""Functions have a canonical form, found in a process that can be killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import warnings
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from ttrl.answers.key import answer_key
from ttrl.answers.math.spelling import plain_spelling, unwrapped
from ttrl.answers.slow import path as slow_path
from ttrl.answers.slow.path import Reading, close, read_slowly
from ttrl.answers.slow.tokens import tokens_of

pytest.importorskip("sympy")
from ttrl.answers.slow import form as slow_form  # needs sympy

pytestmark = pytest.mark.skipif(os.name != "posix", reason="needs POSIX")

FAKE = """
import json, os, signal, sys, types, time
ttrl = sys.modules["ttrl"] = types.ModuleType("ttrl")
_, package, cpu_seconds = json.loads(sys.argv[1])
ttrl.__path__ = [package]
from ttrl.answers.slow import worker as slow_worker
def read(answer):
    if answer == "a":
        while True: pass
    if answer == "b":
        memory = [b"x" * (1 << 26) for _ in range(100)]
    if answer == "c":
        time.sleep(3600)
    if answer == "d":
        os._exit(3)
    if answer == "e":
        os.kill(os.getppid(), signal.SIGALRM)
        time.sleep(3600)
    if answer == "f":
        print("noise")
    return None, (str(os.getpid()),)
slow_worker._limit(slow_worker.resource.RLIMIT_AS, slow_worker.MEMORY_BYTES)
slow_worker.serve(read, cpu_seconds)
"""
PATIENCE = 600  # seconds until a thread counts as hanging


@pytest.fixture(autouse=True, scope="module")
def _patient():
    """No limit of time ends a reading, however slow this machine is."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(slow_path, "CPU_SECONDS", PATIENCE)
        patch.setattr(slow_path._Worker, "seconds", PATIENCE)
        close()
        yield
        close()


@pytest.fixture
def fake_worker(monkeypatch):
    """Workers that spin, eat memory, sleep or die when asked to: a list of those that started."""
    started = []

    class Listed(slow_path._Worker):
        def __init__(self):
            started.append(self)
            super().__init__()

    pool = slow_path._Pool()
    monkeypatch.setattr(slow_path, "CPU_SECONDS", 0.2)
    monkeypatch.setattr(slow_path, "_PROGRAM", FAKE)
    monkeypatch.setattr(slow_path, "_Worker", Listed)
    monkeypatch.setattr(slow_path, "_pool", pool)
    yield started
    pool.close()


def read(answer: str) -> Reading | None:
    return read_slowly(unwrapped(plain_spelling(answer)))


def values(answer: str) -> tuple[str, ...]:
    reading = read(answer)
    assert reading is not None and reading.values is not None and not reading.killed
    return reading.values


def spelling(answer: str) -> str | None:
    reading = read(answer)
    assert reading is not None
    return reading.spelling


def children() -> set[int]:
    return {worker.process.pid for worker in slow_path._pool._all}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (r"\sin 30^\circ", r"\frac{1}{2}"), (r"\sin(30^{\circ})", r"\frac{1}{2}"),
        (r"\sin 30°", r"\frac{1}{2}"), (r"\cos\left(\frac{\pi}{3}\right)", r"\frac{1}{2}"),
        (r"\log_2 8", "3"), (r"\log_28", "3"), (r"\log_{2}{8}", "3"), (r"\log_4 8", r"\frac{3}{2}"),
        (r"\log 100", "2"), (r"\ln(e^2)", "2"), (r"\ln e^2", "2"), (r"e^{\ln 3}", "3"),
        (r"\sqrt{3+2\sqrt2}", r"1 + \sqrt{2}"), (r"\sqrt[3]{2+\sqrt5}-\sqrt[3]{\sqrt5-2}", "1"),
        (r"\sqrt[3]{-8}\cos 0", "-2"), (r"\tan^{-1} 1", r"\frac{\pi}{4}"), (r"e^{i\pi}", "-1"),
        (r"\arctan\frac12+\arctan\frac13", r"\frac{\pi}{4}"), (r"\max(1,2)", "2"),
        (r"\tan 20^\circ\tan 40^\circ\tan 80^\circ", r"\sqrt{3}"), (r"\lfloor\pi\rfloor", "3"),
        (r"\cos\frac{2\pi}{7}+\cos\frac{4\pi}{7}+\cos\frac{6\pi}{7}", r"- \frac{1}{2}"),
        (r"\sin^2 x+\cos^2 x", "1"), (r"\sin^2 x+\cos^2 x+y", "y + 1"), (r"\log_2 4^x", "2 x"),
        (r"x=\sin 30^\circ", r"\frac{1}{2}"), (r"0.5\cos 0", r"\frac{1}{2}"), (r"\ln 2", None),
        (r"\cos 1", None), (r"\cot x", None), (r"2^x", None), (r"\sqrt[3]{8x^3}", "2 x"),
        (r"|x|^2", "x^{2}"), (r"\max(x,x+1)", "x + 1"), (r"\log_2 2^{60}", "60"),
    ],
)  # fmt: skip
def test_a_spelling_without_functions_is_found_where_there_is_one(answer, expected):
    assert spelling(answer) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\cot x", r"\frac{\cos x}{\sin x}"), (r"\cot(x)", r"\cos x/\sin x"),
        (r"\sin 2x", r"2\sin x\cos x"), (r"\sin x^2", r"\sin(x^2)"), (r"\sin^2 x", r"(\sin x)^2"),
        (r"\sin(x)^2", r"\sin^{2}{x}"), (r"\arcsin x", r"\sin^{-1} x"), (r"2^x\cdot3^x", "6^x"),
        (r"\frac{e^x-e^{-x}}{2}", r"\sinh x"), (r"\frac{\ln 2}{\ln 3}", r"\log_3 2"),
        (r"\ln 2/\ln 3", r"\log_3 2"), (r"\ln\frac12", r"-\ln 2"),
        (r"\frac12ab\sin C", r"\frac{ab\sin(C)}{2}"),
        (r"\mathrm{sin}\,x", "sin(x)"), (r"$\ln 2$", r"\(\ln(2)\)"), (r"\cos 2\theta", "2cos(\u03b8)^2-1"),
        (r"\cos 20^\circ", r"\cos\frac{\pi}{9}"), (r"\log 2", r"\log_{10} 2"), (r"\ln x^2", r"\ln(x\cdot x)"),
        (r"\ln(4)+\sin^2y+\cos^2y", r"1+2\ln 2"), (r"x_1\sin x_{2}", r"\sin(x_2)\cdot x_1"),
    ],
)  # fmt: skip
def test_one_function_has_one_fingerprint_whatever_its_spelling(one, other):
    assert values(one) == values(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (r"\sin x", r"\cos x"), ("2^x", "x^2"), (r"\sqrt[3]{x}", r"\sqrt{x}"),
        (r"\sin x", r"\sin y"), (r"\ln 2", r"\log 2"), (r"\sin 30", r"\sin 30^\circ"),
        (r"\sin^{-1} x", r"\frac{1}{\sin x}"), (r"\ln R", r"\ln r"), (r"\sin 2x", r"2\sin x"),
        (r"\ln 0.333", r"\ln\frac13"), (r"\ln(1+10^{-10})", r"\ln(1+10^{-11})"),
        (r"e^x", r"e^{-x}"), (r"\tanh 9", r"\tanh 10"), (r"\ln x^2", r"2\ln x"),
    ],
)  # fmt: skip
def test_different_functions_have_different_fingerprints(one, other):
    assert values(one) != values(other)


@pytest.mark.parametrize(
    "answer",
    [
        r"\lfloor n/7\rfloor", r"\lfloor x/10\rfloor", r"\lceil x\rceil", r"\min(n,7)", r"\max(0,x-10)",
        "|x+10|", "|x+20|-10", r"\sqrt{(x+10)^2}", r"\sqrt{x^2+20x+100}", r"\sin|x+10|", "|x|", "|x-1|",
        r"\sqrt{x^2}", r"\frac{|x|}{x}", r"|z|^2", r"\sqrt{z^2+20z+100}", r"\ln|x|", r"((x+10)^2)^{y}",
        r"\sqrt{x+100-20\sqrt{x}}", r"\sqrt{1-\cos^2(x/10+1)}", r"\sqrt{e^{2x}+2e^x+1}", r"(x^2)^{1/6}",
        r"\sqrt{x^2+2\sqrt{2}x+2}", r"\sqrt{(x+10)^2(y+z)+1-1}", r"\arcsin(\sin(x/10+1))",
        r"\arccos(\cos(x/10))", r"\arctan(\tan(x/10))", r"\arctan\frac{1}{x+10}", r"\arccos(1-2(x/9)^2)",
        r"\sqrt{(\sqrt[3]{x+10})^2}", r"\frac{1}{\sqrt{x^2+20x+100}}", r"\sqrt{\cosh(x+10)-1}",
    ],
)  # fmt: skip
def test_what_has_pieces_is_equal_to_its_own_spelling_only(answer):
    assert read(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        r"\sin 1+10^{-50}", r"\ln 2+10^{45}", r"\cos(10^{-25})", r"\cos(2\cdot10^{-25})",
        r"\sin x+10^{50}", r"\tanh 60", r"\tanh(99x)", r"\arctan(10^{50})", r"\ln(x+10^{50})",
        r"\ln(2x+10^{50})", r"\sin(1+10^{-45})", r"\ln(x+e^{60})", r"\cos(e^{-39})", r"\sin x+e^{-99}",
        r"\tanh(40+x^2)", r"e^{-e^{4}}+\cos x", r"\tanh(\sinh 9+x^2)",
        r"\ln(10^{9}+\ln(10^{9}+\sin x))", r"1+2^{-x^2-50}", r"\coth(50+x^2)", r"\ln 0.1234567890123",
        r"\arctan(x+10)+\arctan(1/(x+10))", r"\ln(x^2+10^{-13})", r"x^{99}+\sin x+10^{12}",
    ],
)  # fmt: skip
def test_a_part_that_does_not_show_in_the_digits_is_not_read(answer):
    assert read(answer) is None


@pytest.mark.parametrize(
    "answer",
    [
        "no solution", "5 cm", r"\ln 2 cm", r"\ln 2\text{ cm}", r"7\bmod 3", "NaN", "f(x)", "10!",
        r"\sum_{k=1}^n k", r"\int x", r"\binom{n}{2}", r"\sin x(x+1)", r"\ln x/x", r"1/2\sin x",
        r"2\frac12\ln 3", "x2", r"\sin", r"\ln 0", r"\log_1 2", r"\frac{1}{\sin 0}", "2^3^x", "30^\\circ",
        r"y=\ln x", r"\{\ln 2\}", r"\ln 1,000", "(", ")", "^", "_", "|", r"\frac", r"\sqrt", r"\log_",
        "\\", "", " ", "$$", r"\left(", r"2^{2^{2^{x}}}", "9" * 21 + r"\ln 2", r"2^{1000}\ln 2",
        r"\sin" * 100, "(" * 16 + r"\sin x" + ")" * 16, r"\ln(\ud800)", "\x00", r"\infty",
        r"\exp(\exp(\exp(9)))", r"\sin(10^{999})", "1.5e3", r"\sin 2\arcsin x", "+".join("x" * 160),
    ],
)  # fmt: skip
def test_what_is_not_surely_mathematics_is_refused(answer):
    assert read(answer) is None


def test_the_gate_is_linear(calls_in):
    for piece in ("(", "{", "|", "^", "\\", "\\text{", "$", "x_", " ", "1", "\\frac", "\u00b2"):
        for short, times in ((piece * (300 // len(piece)), 8), (piece * 1_000_000, 0)):
            assert read_slowly(short) is None
            assert calls_in(partial(tokens_of, short)) <= times * len(short) + 20


@pytest.mark.parametrize(
    "answer",
    [
        r"(\sin^2 x+\cos^2 x+\tan^2 x-\sec^2 x)^{99}+(\sin^2 y+\cos^2 y)^{99}",
        r"\cos\frac{\pi}{17}\cos\frac{2\pi}{17}\cos\frac{4\pi}{17}\cos\frac{8\pi}{17}",
        r"\sinh 40-e^{40}/2+1", r"\sqrt{x+1}+\sqrt{y+2}+\sqrt{(x+y)^9+1}",
    ],
)  # fmt: skip
def test_a_search_ends_after_so_many_calls_and_the_next_answer_is_read(answer):
    reading = read(answer)
    assert reading is None or (reading.spelling is None and not reading.killed)
    assert spelling(r"\sin 150^\circ") == r"\frac{1}{2}"


def test_a_search_makes_so_many_calls_and_no_more():
    made = 0

    def call():
        nonlocal made
        made += 1

    with slow_form._search():
        while True:
            call()
    assert 0 <= slow_form.SEARCH_CALLS - made < 5  # it counts a few of its own


def test_a_reading_does_not_depend_on_the_ones_before():
    first = read(r"\tan 20^\circ\tan 40^\circ\tan 80^\circ")
    read(r"\sinh 40-e^{40}/2+1")
    slow_path._pool._known.clear()
    assert read(r"\tan 20^\circ\tan 40^\circ\tan 80^\circ") == first


@pytest.mark.parametrize(
    ("answer", "is_sure"), [("a", True), ("b", True), ("c", False), ("d", False)]
)
def test_a_worker_that_spins_eats_sleeps_or_dies_is_replaced(fake_worker, answer, is_sure):
    """Only its own limits are remembered: the others may not come again, and so are asked twice."""
    before = values("x")
    with pytest.MonkeyPatch.context() as patch:
        if answer == "c":
            patch.setattr(slow_path._Worker, "seconds", 0.1)
        reading = read_slowly(answer)
    assert reading is not None and reading.killed
    assert (answer in slow_path._pool._known) == is_sure
    assert len(fake_worker) == (2 if is_sure else 3)
    assert values("y") != before  # another process
    assert {worker.process.poll() is None for worker in fake_worker[:-1]} == {False}


def test_an_answer_that_a_stopped_worker_loses_is_asked_again(fake_worker):
    values("x")
    (pid,) = children()
    fake_worker[0].seconds = 0.1
    os.kill(pid, signal.SIGSTOP)
    assert values("y") != (str(pid),)
    assert "y" in slow_path._pool._known


def test_noise_on_standard_output_is_no_reply_and_workers_retire(fake_worker, monkeypatch):
    monkeypatch.setattr(slow_path, "TASKS_OF_A_WORKER", 2)
    pids = [values(answer) for answer in ("f", "g", "h")]
    assert pids[0] == pids[1] != pids[2]


def test_eight_threads_at_once_get_what_one_gets():
    answers = [rf"\ln {n}+\sin^2 {n}" for n in range(2, 26)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(read_slowly, answers))
    assert len({reading.values for reading in together if reading}) == len(answers)
    slow_path._pool._known.clear()
    assert [read_slowly(answer) for answer in answers] == together


def test_the_alarm_and_the_handlers_of_the_caller_survive():
    def handler(*_):
        raise AssertionError("not yet")

    before = signal.signal(signal.SIGALRM, handler)
    profile = signal.getsignal(signal.SIGPROF)
    signal.alarm(3600)
    try:
        close()
        assert spelling(r"\sin 210^\circ") == r"- \frac{1}{2}"
        assert 0 < signal.alarm(0) <= 3600
        assert signal.getsignal(signal.SIGALRM) is handler
        assert signal.getsignal(signal.SIGPROF) is profile
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_an_interrupted_caller_leaves_no_reply_behind(fake_worker):
    class Interrupt(BaseException):
        pass

    def handler(*_):
        raise Interrupt

    values("x")
    before = signal.signal(signal.SIGALRM, handler)
    try:
        with pytest.raises(Interrupt):
            read_slowly("e")
    finally:
        signal.signal(signal.SIGALRM, before)
    assert children() == set()
    assert values("y")


def test_a_forked_child_reads_with_workers_of_its_own():
    own = values(r"\ln 3")
    parents = children()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid == 0:
        good = values(r"\ln 3") == own and not children() & parents
        close()
        os._exit(0 if good else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert values(r"\ln 5") and children() & parents


def test_close_leaves_no_process_and_the_next_answer_starts_one():
    values(r"\ln 7")
    pids = children()
    assert pids
    close()
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    slow_path._pool._known.clear()
    assert values(r"\ln 7")


def test_close_while_a_worker_is_busy_ends_it_and_is_not_remembered(fake_worker):
    values("x")
    readings: list[Reading | None] = []
    asking = threading.Thread(target=lambda: readings.append(read_slowly("c")))
    asking.start()
    while fake_worker[0].tasks < 2:
        assert asking.is_alive()
    close()
    asking.join(PATIENCE)
    assert readings == [None] and "c" not in slow_path._pool._known and children() == set()


@pytest.mark.parametrize("program", ["import sys; sys.exit(1)", "import no_such_module"])
def test_without_a_worker_it_warns_once_and_reads_nothing(fake_worker, monkeypatch, program):
    monkeypatch.setattr(slow_path, "_PROGRAM", program)
    with pytest.warns(RuntimeWarning, match="spelling only"):
        assert read_slowly(r"\ln 2") is None
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert read_slowly(r"\ln 3") is None


def test_two_programs_agree_import_no_sympy_and_write_nothing(tmp_path):
    program = """
import json, sys
from ttrl.answers.slow import path as slow_path
from ttrl.answers.key import answer_key
assert "sympy" not in sys.modules
answers = json.loads(sys.argv[1])
print(json.dumps([slow_path.read_slowly(answer).values for answer in answers]))
assert "sympy" not in sys.modules
"""
    answers = [r"\cot x+y\ln z", r"\sqrt{2}^{\sqrt{2}}", r"\sqrt[3]{a+b}", r"\sin^2 t+\cos^2 t"]
    command = [sys.executable, "-c", program, json.dumps(answers)]
    results = []
    for seed in ("1", "2"):
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONDONTWRITEBYTECODE": "1"}
        environment["PYTHONPATH"] = str(Path(slow_path.__file__).parents[3])
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        )
        results.append([tuple(found) for found in json.loads(done.stdout)])
    assert results[0] == results[1] == [values(answer) for answer in answers]
    assert list(tmp_path.iterdir()) == []


def test_dots_at_the_end_are_not_dropped():
    assert read("3.14...") is None and read(r"\sin 1..") is None
    assert read(r"\sin 1.") == read(r"\sin 1") is not None


def test_the_root_sign_is_a_root():
    assert read("√(x+1)") == read(r"\sqrt{x+1}") != read(r"\sqrt{x}+1")


def test_an_odd_root_is_real_and_one_to_one():
    assert values(r"\sqrt[3]{x+1}\cdot\sqrt[3]{x-1}") == values(r"(x^2-1)^{1/3}")
    assert values(r"\sqrt[3]{x}^2") == values(r"\sqrt[3]{x^2}") != values(r"\sqrt[3]{x}\sqrt[3]{y}")


@pytest.mark.parametrize(
    "answer",
    [
        "2{4}", "{2}{4}", "x{y+1}", r"\sqrt{2}{3}", r"2^{3}{4}", r"4{\frac12}", "{x+1}/2", "1-{x-1}",
        r"\frac{dA}{dr}", r"\frac{d y}{d x}", r"\frac{\delta y}{\delta x}", "f^{-1}(2)", "u^{-1}(x+1)",
        "f^{2}(x)", "f_1(x)", r"\phi(2)", r"\Phi^{-1}(2)",
    ],
)  # fmt: skip
def test_what_may_mean_two_things_is_not_read(answer):
    assert read_slowly(answer) is None


@pytest.mark.parametrize(
    "answer", [r"\sin{x}", r"\log_{2}{8}", r"\frac{d}{2}\sin 1", r"e^{2x}", r"\ln 2^{0}"]
)
def test_braces_that_a_command_asks_for_are_read(answer):
    assert read_slowly(answer) is not None


def test_a_large_number_has_a_spelling_and_no_values():
    reading = read_slowly(r"\sqrt{10^{30}}\cos 0")
    assert reading is not None and reading.values is None
    assert answer_key(str(reading.spelling)) == answer_key("10^{15}")
