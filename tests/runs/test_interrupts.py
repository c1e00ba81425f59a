import os
import signal

import pytest

from ttrl.runs.interrupts import Interrupts


def interrupt():
    os.kill(os.getpid(), signal.SIGINT)


def test_outside_a_deferred_block_an_interrupt_rises_at_once():
    with Interrupts(), pytest.raises(KeyboardInterrupt):
        interrupt()


def test_a_deferred_block_is_finished_first_and_nested_ones_too():
    done = []
    with Interrupts() as interrupts, pytest.raises(KeyboardInterrupt):
        with interrupts.deferred():
            interrupt()
            with interrupts.deferred():
                done.append("inner")
            done.append("outer")
        done.append("never")
    assert done == ["inner", "outer"]


def test_an_error_inside_goes_before_the_interrupt():
    with Interrupts() as interrupts, pytest.raises(ValueError), interrupts.deferred():
        interrupt()
        raise ValueError


def test_the_handlers_of_before_are_put_back():
    before = signal.getsignal(signal.SIGINT)
    with Interrupts():
        assert signal.getsignal(signal.SIGINT) != before
    assert signal.getsignal(signal.SIGINT) == before


def test_an_interrupt_counts_also_where_the_shell_had_it_ignored():
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with Interrupts(), pytest.raises(KeyboardInterrupt):
            interrupt()
    finally:
        signal.signal(signal.SIGINT, before)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="there are no terminals that close here")
@pytest.mark.parametrize("ignored", [False, True])
def test_a_closed_terminal_ends_a_run_unless_it_is_under_nohup(ignored):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN if ignored else signal.SIG_DFL)
    try:
        with Interrupts():
            if ignored:
                os.kill(os.getpid(), signal.SIGHUP)
            else:
                with pytest.raises(KeyboardInterrupt):
                    os.kill(os.getpid(), signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)
