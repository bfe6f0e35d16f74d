"""Processes of `gpu_quarter.py`: commands of im2tex, work with torch, and the log of the GPU.

A process is forked from one in which torch is imported already, so that it starts at once. The
parent never calls torch: neither a GPU nor threads that are in use can be forked.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import platform
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

MODULES = {
    **{name: name for name in ("torch", "lightning", "torchmetrics", "timm", "numpy", "scipy")},
    **{name: name for name in ("pyarrow", "sacrebleu", "safetensors", "requests", "rich")},
    **{"PIL": "pillow", "yaml": "pyyaml", "jsonargparse": "jsonargparse"},
    **{"typeshed_client": "typeshed-client", "docstring_parser": "docstring-parser"},
    **{"rapidfuzz": "rapidfuzz", "HersheyFonts": "Hershey-Fonts"},
}
"""The modules that im2tex imports, and their packages."""


def missing_packages() -> list[str]:
    """The packages that this Python lacks."""
    return sorted(package for module, package in MODULES.items() if find_spec(module) is None)


def preload() -> None:
    """Imports what the commands import, so that forked processes start at once."""
    import im2tex.commands.trainer.run  # noqa: F401, PLC0415


class Processes:
    """Starts processes whose output goes to a file.

    Args:
        log: the file.

    Attributes:
        method: `fork`, or `spawn` for processes that import everything themselves.
    """

    def __init__(self, log: Path) -> None:
        self.log = log
        self.method = os.environ.get("QUARTER_START", "fork")

    def start(self, function: Callable[..., int | None], *arguments: Any) -> BaseProcess:
        """Starts a function of a module; its result is the exit status."""
        sys.stdout.flush()
        context: Any = multiprocessing.get_context(self.method)
        process: BaseProcess = context.Process(target=_work, args=(self.log, function, arguments))
        process.start()
        return process

    def run(self, function: Callable[..., int | None], *arguments: Any) -> int:
        """Runs a function in a process, and returns the exit status."""
        process = self.start(function, *arguments)
        process.join()
        return process.exitcode or 0


def _work(log: Path, function: Callable[..., int | None], arguments: Sequence[Any]) -> None:
    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, signal.SIG_DFL)
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    raise SystemExit(function(*arguments))


def run_command(arguments: Sequence[str], environment: dict[str, str]) -> int:
    """Runs a command of im2tex with further environment variables; called in a process."""
    os.environ.update(environment)
    sys.argv = ["im2tex", *arguments]  # which result files quote
    from im2tex.cli import main  # noqa: PLC0415

    return main(arguments)


def describe_machine(report: Path) -> None:
    """Writes the versions, the processors and the GPU; called in a process."""
    import torch  # noqa: PLC0415

    found: dict[str, Any] = {"python": platform.python_version(), "cpus": os.cpu_count()}
    found["gpu"] = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    found["cuda"] = torch.version.cuda
    for package in MODULES.values():
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = "unknown"
    report.write_text(json.dumps(found), encoding="utf-8")


def prepare_data(pack: Path, settings: Mapping[str, Mapping[str, Any]]) -> None:
    """Makes what is derived from the stores of a pack; called in a process.

    Args:
        pack: the file.
        settings: of the sources, by name.
    """
    from im2tex.data.datamodule import FormulaDataModule  # noqa: PLC0415

    for source, arguments in settings.items():
        FormulaDataModule(source, dict(arguments), root=str(pack)).prepare_data()


class GpuLog:
    """The use of the GPU each second, as `nvidia-smi` reports it; empty without that program.

    Args:
        path: of the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._process: subprocess.Popen[bytes] | None = None
        if has_driver():
            query = "--query-gpu=utilization.gpu,memory.used,power.draw"
            with path.open("ab") as file:
                self._process = subprocess.Popen(
                    ["nvidia-smi", query, "--format=csv,noheader,nounits", "-l", "1"],
                    stdout=file,
                    stderr=subprocess.DEVNULL,
                )

    def utilization(self) -> list[float]:
        """The fraction of each second in which the GPU was busy."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(errors="replace").splitlines()
        cells = [line.partition(",")[0] for line in lines]
        return [int(cell) / 100 for cell in cells if cell.isdecimal()]

    def close(self) -> None:
        """Ends the process."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


def has_driver() -> bool:
    """Whether `nvidia-smi` is there."""
    return shutil.which("nvidia-smi") is not None
