import os
import signal

import pytest

from ttrl.cli.interrupts import Interrupts


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
