"""The files in OUT of `gpu_quarter.py`, at most eight: copied from time to time, and read again.

- `quarter.json`: the state of the queue.
- `log.txt`: what all commands printed.
- `results.zip`: results, predictions, metrics and configurations of all runs.
- `RUN.1`, `RUN.2`, …: the weights of a complete run, in bfloat16.
- `resume.1`, …: the checkpoint of the fit under way, or the weights that the next one starts from.
"""

from __future__ import annotations

import json
import os
import shutil
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from quarter_plan import RUNS, Fit, Options
from quarter_processes import Processes
from quarter_weights import PART_BYTES, remove_parts, restore, save

STATE, LOG, RESULTS, RESUME = "quarter.json", "log.txt", "results.zip", "resume"
MAX_FILES = 8
LOG_BYTES = 8_000_000
RESUME_BYTES = int(os.environ.get("QUARTER_RESUME_BYTES", "20_000_000"))
_KEPT_SUFFIXES = (".jsonl", ".json", ".csv", ".md", ".yaml")
_CHECKPOINTS = "**/checkpoints/last.ckpt"


class OutFiles:
    """The files in OUT, and the folder of the runs that they are made from.

    Args:
        options: the command line.
        processes: runs what needs torch.
        say: prints a line.

    Attributes:
        state: `spent` seconds of all calls, `start_s` and `test_s` of the commands, `machines`,
            `speeds` by model and source, `stages` with status and steps, and `weights`, the records
            of the parts by name.
        copied: time of the last snapshot.
    """

    def __init__(self, options: Options, processes: Processes, say: Callable[[str], None]) -> None:
        self.options, self.processes, self.say = options, processes, say
        self.state = self._restore_state()
        self.copied = 0.0

    def checkpoint(self, name: str) -> Path | None:
        """The last checkpoint of a fit: of this machine, or put together from the parts in OUT."""
        found = self.newest(name)
        if found is not None:
            return found
        for file, record in self.state["weights"].items():
            if record["fit"] != name:
                continue
            path = self.options.work / name / "restored" / "checkpoints" / "last.ckpt"
            path.parent.mkdir(parents=True, exist_ok=True)
            if self.processes.run(restore, self.options.out, file, record, path) == 0:
                self.state["stages"][name]["steps"] = record["step"]
                self.say(f"{name}: restored at step {record['step']} ({record['kept']})")
                return path
            self.say(f"{name}: parts of {file} are missing or damaged in {self.options.out}")
        return None

    def newest(self, name: str) -> Path | None:
        """The last checkpoint of a fit on this machine."""
        found = (self.options.work / name).glob(_CHECKPOINTS)
        return max(found, key=lambda path: path.stat().st_mtime, default=None)

    def snapshot(self, spent: float) -> None:
        """Copies everything to OUT; the state comes last.

        Args:
            spent: seconds of all calls.
        """
        work, out = self.options.work, self.options.out
        self._save_weights()
        self.copied = time.monotonic()
        self.state["spent"] = round(spent, 1)
        text = json.dumps(self.state, indent=1)
        (work / STATE).write_text(text, encoding="utf-8")
        if (work / LOG).is_file():
            (out / LOG).write_bytes((work / LOG).read_bytes()[-LOG_BYTES:])
        part = work / f"{RESULTS}.part"
        with zipfile.ZipFile(part, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(work.rglob("*")):
                if path.suffix in _KEPT_SUFFIXES and path.name != STATE:
                    archive.write(path, path.relative_to(work))
        shutil.move(part, out / RESULTS)
        (out / STATE).write_text(text, encoding="utf-8")

    def _restore_state(self) -> dict[str, Any]:
        """The state of an earlier call, of this machine or in OUT; else that of a new queue."""
        work, out = self.options.work, self.options.out
        state: dict[str, Any] = {"spent": 0.0, "start_s": None, "test_s": None, "machines": []}
        state |= {"speeds": {}, "stages": {}, "weights": {}}
        if (work / STATE).is_file():
            state |= json.loads((work / STATE).read_text(encoding="utf-8"))
            return state
        if not (out / STATE).is_file():
            return state
        if (out / RESULTS).is_file():
            with zipfile.ZipFile(out / RESULTS) as archive:
                archive.extractall(work)
        if (out / LOG).is_file():
            shutil.copyfile(out / LOG, work / LOG)
        state |= json.loads((out / STATE).read_text(encoding="utf-8"))
        return state

    def _save_weights(self) -> None:
        """Writes the weights of complete runs, and what the fit under way needs to go on."""
        stages = self.state["stages"]
        needed: Fit | None = None
        for run in self.options.runs:
            for fit in RUNS[run]:
                status = stages.get(fit.name, {}).get("status")
                is_complete = status in ("done", "cut")
                if is_complete and fit is RUNS[run][-1]:
                    needed = None
                    if not self._is_written(run) and self._save(fit, run):
                        self.state["weights"].pop(RESUME, None)
                        remove_parts(self.options.out, RESUME)
                elif is_complete or (status == "running" and self.newest(fit.name)):
                    needed = fit
        if needed is not None:
            self._save(needed, RESUME)

    def _is_written(self, name: str) -> bool:
        """Whether all parts are in OUT, which can be emptied between two calls."""
        parts = self.state["weights"].get(name, {}).get("parts", 0)
        numbers = range(1, parts + 1)
        return parts > 0 and all((self.options.out / f"{name}.{n}").is_file() for n in numbers)

    def _save(self, fit: Fit, name: str) -> bool:
        """Writes a fit's last checkpoint to OUT in parts; returns whether it was written."""
        path = self.newest(fit.name)
        if path is None:
            return False
        stage = self.state["stages"][fit.name]
        others = sum(one["parts"] for key, one in self.state["weights"].items() if key != name)
        limit = min(RESUME_BYTES, (MAX_FILES - 3 - others) * PART_BYTES)
        is_running, record = stage["status"] == "running", self.options.work / "saved.json"
        if self.processes.run(save, path, self.options.out, name, record, limit, not is_running):
            self.say(f"{fit.name}: its weights could not be written to {self.options.out}")
            return False
        saved = json.loads(record.read_text(encoding="utf-8"))
        self.state["weights"][name] = {"fit": fit.name, **saved}
        stage["steps"] = saved["step"]
        return True
