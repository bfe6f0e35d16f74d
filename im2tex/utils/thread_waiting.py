"""How OpenMP threads wait for each other: briefly in a loop, then asleep.

torch's threads spin for some milliseconds at the end of each operation. If other processes use the
same cores, the spinning threads take the time of those that they wait for. Threads that sleep at
once are slow on an idle machine, because they are woken for each operation.
"""

from __future__ import annotations

import os

_BRIEF = {"GOMP_SPINCOUNT": "1000", "KMP_BLOCKTIME": "0"}  # GNU's OpenMP; LLVM's and Intel's
_CHOICES = (*_BRIEF, "OMP_WAIT_POLICY", "KMP_LIBRARY")


def set_brief_waiting() -> None:
    """Sets the environment for threads that spin briefly, unless it names a policy.

    OpenMP reads the environment when it is loaded: call this before torch is imported. Processes
    started later, such as loader workers, inherit the setting.
    """
    if not any(name in os.environ for name in _CHOICES):
        os.environ.update(_BRIEF)
