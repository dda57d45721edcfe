# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers: bounded, able to add work, and stopped together."""

from __future__ import annotations

import os
import signal
import threading
import time

import pytest

from ansible_collections.quayside.airgap.plugins.module_utils.core.concurrency import Cancellation, WorkerPool
from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import CancelledError


def test_every_task_runs_once_those_that_tasks_add_too():
    done = []
    with WorkerPool(4) as pool:

        def grow(depth):
            done.append(depth)
            if depth:
                for _child in range(3):
                    pool.add(lambda: grow(depth - 1))

        pool.run([lambda: grow(4)])
        pool.run([lambda: done.append("again")])
    assert len(done) == 1 + 3 + 9 + 27 + 81 + 1


def test_never_more_at_once_than_allowed_and_as_many_as_allowed():
    running, peak, lock = [0], [0], threading.Lock()
    meeting = threading.Barrier(5, timeout=10)

    def task():
        with lock:
            running[0] += 1
            peak[0] = max(peak[0], running[0])
        meeting.wait()
        with lock:
            running[0] -= 1

    with WorkerPool(5) as pool:
        pool.run([task] * 25)
    assert peak[0] == 5


def test_no_wake_up_is_lost_among_many_tiny_rounds():
    counter = [0]
    with WorkerPool(8) as pool:
        for _round in range(300):
            pool.run([lambda: counter.__setitem__(0, counter[0] + 1)])
    assert counter[0] == 300


@pytest.mark.parametrize("workers", [1, 2, 8])
def test_no_task_is_lost_however_tiny_and_whoever_adds_it(workers):
    """Idle workers are woken one by one: a wake-up that goes to one that is no longer idle must not be missed."""
    done, lock = [0], threading.Lock()

    def count(children):
        with lock:
            done[0] += 1
        for _child in range(children):
            pool.add(lambda: count(0))

    with WorkerPool(workers) as pool:
        for number in range(20):
            pool.run([lambda: count(5)] * 20)
            assert done[0] == 20 * 6 * (number + 1)


def test_several_threads_may_add():
    done = []
    with WorkerPool(4) as pool:

        def spread():
            threads = [threading.Thread(target=pool.add, args=(lambda: done.append(1),)) for _ignored in range(20)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()

        pool.run([spread] * 5)
    assert len(done) == 100


def test_no_more_threads_are_made_than_there_is_work():
    before = threading.active_count()
    with WorkerPool(50) as pool:
        pool.run([lambda: None] * 3)
        assert threading.active_count() - before <= 3
        pool.run([])


def test_threads_go_when_the_pool_is_closed():
    with WorkerPool(8) as pool:
        pool.run([lambda: time.sleep(0.01)] * 8)
    deadline = time.monotonic() + 5
    while any(thread.name.startswith("airgap-worker") for thread in threading.enumerate()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_the_pool_can_be_used_again_after_a_failure():
    def failing():
        raise ValueError("the reason")

    done = []
    with WorkerPool(2) as pool:
        with pytest.raises(ValueError, match="the reason"):
            pool.run([failing])
        pool.run([lambda: done.append(1)])
    assert done == [1]


@pytest.mark.parametrize("error", [ValueError("the reason"), CancelledError("the reason"), SystemExit("the reason"), KeyboardInterrupt()])
def test_whatever_a_task_raises_comes_out(error):
    def failing():
        raise error

    with WorkerPool(2) as pool, pytest.raises(type(error)):
        pool.run([failing, failing, failing])


def test_the_failure_is_told_once_running_tasks_have_come_to_their_end():
    ended = []

    def slow():
        time.sleep(0.2)
        ended.append("slow")

    def failing():
        time.sleep(0.05)
        raise ValueError("the reason")

    with WorkerPool(2) as pool, pytest.raises(ValueError, match="the reason"):
        pool.run([slow, failing])
    assert ended == ["slow"]


def test_the_first_reason_to_stop_is_the_one_that_is_told():
    cancellation = Cancellation()
    cancellation.cancel("first")
    cancellation.cancel("second")
    with pytest.raises(CancelledError, match="first"):
        cancellation.check()


def test_without_a_reason_to_stop_work_goes_on():
    cancellation = Cancellation()
    cancellation.check()
    cancellation.sleep(0)
    cancellation.sleep(-1)
    assert not cancellation.cancelled


def test_what_is_urgent_goes_first():
    order = []
    with WorkerPool(1) as pool:
        pool.run([lambda: (order.append(1), pool.add(lambda: order.append("urgent"), urgent=True)), lambda: order.append(2)])
    assert order == [1, "urgent", 2]


def test_the_first_failure_ends_the_run_and_stops_the_others():
    started = []
    pool = WorkerPool(2)

    def patient():
        started.append("patient")
        pool.cancellation.sleep(30)

    def failing():
        time.sleep(0.05)
        raise ValueError("the reason")

    with pool, pytest.raises(ValueError, match="the reason"):
        pool.run([patient, failing, lambda: started.append("late")])
    assert started == ["patient"]
    assert pool.cancellation.cancelled


def test_an_interrupt_sets_the_cancellation_and_comes_through():
    cancellation = Cancellation()
    timer = threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT))
    timer.start()
    with pytest.raises(KeyboardInterrupt), WorkerPool(2, cancellation) as pool:
        pool.run([lambda: cancellation.sleep(30)])
    assert cancellation.cancelled


def test_a_sleeper_wakes_when_the_work_is_stopped():
    cancellation = Cancellation()
    threading.Timer(0.1, lambda: cancellation.cancel("enough")).start()
    begun = time.monotonic()
    with pytest.raises(CancelledError, match="enough"):
        cancellation.sleep(30)
    assert time.monotonic() - begun < 10
    with pytest.raises(CancelledError, match="enough"):
        cancellation.check()
