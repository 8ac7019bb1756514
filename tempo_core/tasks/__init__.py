"""The tasks, by name."""

from ..task import Task
from . import tempo

TASKS: dict[str, Task] = {task.name: task for task in (tempo.TASK,)}
