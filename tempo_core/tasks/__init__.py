"""The tasks, by name."""

from ..task import Task
from . import pace, tempo

TASKS: dict[str, Task] = {task.name: task for task in (tempo.TASK, pace.TASK)}
