"""How OpenMP threads wait for each other: asleep, rather than in a loop.

torch's threads spin for some milliseconds at the end of each operation. If other processes use the
same cores, the spinning threads take the time of those that they wait for.
"""

from __future__ import annotations

import os

_PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # GNU and LLVM; LLVM and Intel
_CHOICES = (*_PASSIVE, "GOMP_SPINCOUNT", "KMP_LIBRARY")


def set_passive_waiting() -> None:
    """Sets the environment for threads that sleep while they wait, unless it names a policy.

    OpenMP reads the environment when it is loaded: call this before torch is imported. Processes
    started later, such as loader workers, inherit the setting.
    """
    if not any(name in os.environ for name in _CHOICES):
        os.environ.update(_PASSIVE)
