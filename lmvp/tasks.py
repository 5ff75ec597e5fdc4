"""Where work goes that an answer must not wait for, when no worker runs beside the server: a thread of this process."""

from __future__ import annotations

import contextvars
import threading

from django.db import connections
from django_tasks.backends.immediate import ImmediateBackend
from django_tasks.base import TaskResult


class InThread(ImmediateBackend):
    """Runs each task in a thread of its own, at once. What is under way when the process ends is lost."""

    def _execute_task(self, task_result: TaskResult) -> None:  # type: ignore[type-arg]
        request = contextvars.copy_context()  # the log lines of the task bear the request's id
        threading.Thread(target=request.run, args=(self._run, task_result)).start()

    def _run(self, task_result: TaskResult) -> None:  # type: ignore[type-arg]
        try:
            super()._execute_task(task_result)
        finally:
            connections.close_all()
