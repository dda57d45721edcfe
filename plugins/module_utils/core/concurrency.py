# Copyright: (c) 2026, quayside.airgap contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bounded concurrency with a clean end: a pool of workers, and the flag that stops them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterable
from typing import Callable

from ansible_collections.quayside.airgap.plugins.module_utils.core.errors import CancelledError

Task = Callable[[], None]


class Cancellation:
    """A flag that long work looks at between two steps; setting it also wakes whoever sleeps on it."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._reason = ""

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def cancel(self, reason: str) -> None:
        """Ask all work to stop. The first reason given is the one that is told."""
        if not self._event.is_set():
            self._reason = reason
            self._event.set()

    def check(self) -> None:
        """:raises CancelledError: when the work should stop."""
        if self._event.is_set():
            raise CancelledError(self._reason)

    def sleep(self, seconds: float) -> None:
        """Wait, unless the work is stopped meanwhile.

        :raises CancelledError: when it is.
        """
        if self._event.wait(max(0.0, seconds)):
            raise CancelledError(self._reason)


class WorkerPool:
    """Runs tasks on at most ``workers`` threads. A task may add further tasks while it runs.

    A task handles the failures it expects. One that raises ends the run: no further task starts, the cancellation is set,
    and :meth:`run` raises that first exception.

    :param workers: how many tasks run at once, at least 1.
    """

    def __init__(self, workers: int, cancellation: Cancellation | None = None) -> None:
        self.workers = max(1, workers)
        self.cancellation = cancellation or Cancellation()
        self._tasks: deque[Task] = deque()
        self._lock = threading.Lock()
        self._work_waits = threading.Condition(self._lock)
        self._all_done = threading.Condition(self._lock)
        self._unfinished = 0
        self._idle = 0
        self._threads = 0
        self._error: BaseException | None = None
        self._closing = False

    def add(self, task: Task, *, urgent: bool = False) -> None:
        """Queue a task. Threads are started only as they are needed.

        :param urgent: let it go before all that waits, as what completes a piece of work should before another is begun.
        """
        with self._lock:
            if urgent:
                self._tasks.appendleft(task)
            else:
                self._tasks.append(task)
            self._unfinished += 1
            self._work_waits.notify()
            # an idle thread that was just notified still counts as idle: compare with the tasks that wait
            if len(self._tasks) > self._idle and self._threads < self.workers:
                self._threads += 1
                threading.Thread(target=self._work, name=f"airgap-worker-{self._threads}", daemon=True).start()

    def run(self, tasks: Iterable[Task] = ()) -> None:
        """Queue the tasks and wait until these, and all that they add, are done.

        :raises BaseException: what the first failing task raised, once every running task has come to its end.
        :raises KeyboardInterrupt: at once; the cancellation is set, the threads are daemons.
        """
        for task in tasks:
            self.add(task)
        try:
            with self._lock:
                while self._unfinished:
                    # a time limit keeps the main thread open to signals on every platform
                    self._all_done.wait(1.0)
                error, self._error = self._error, None
        except KeyboardInterrupt:
            self.cancellation.cancel("it was interrupted")
            raise
        if error is not None:
            raise error

    def close(self) -> None:
        """Let the threads go. The pool cannot be used afterwards."""
        with self._lock:
            self._closing = True
            self._work_waits.notify_all()

    def __enter__(self) -> WorkerPool:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def _work(self) -> None:
        while True:
            with self._lock:
                while not self._tasks:
                    if self._closing:
                        self._threads -= 1
                        return
                    self._idle += 1
                    self._work_waits.wait()
                    self._idle -= 1
                task = self._tasks.popleft()
                skip = self._error is not None
            error: BaseException | None = None
            if not skip:
                try:
                    task()
                except BaseException as raised:  # handed to run(), which raises it in the caller's thread
                    error = raised
            with self._lock:
                if error is not None and self._error is None:
                    self._error = error
                    self.cancellation.cancel(f"another part failed: {error}")
                self._unfinished -= 1
                if not self._unfinished:
                    self._all_done.notify_all()
