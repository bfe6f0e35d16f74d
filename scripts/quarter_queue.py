"""The queue of `gpu_quarter.py`: probes, fits whose length follows from the speed, tests."""

from __future__ import annotations

import json
import os
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

from quarter_files import LOG, RESULTS, OutFiles
from quarter_meter import LIMIT, VARIABLE, read_speed
from quarter_plan import CONFIGS, RUNS, TOY, TOY_SAMPLES, Fit, Options
from quarter_processes import (
    GpuLog,
    Processes,
    describe_machine,
    has_driver,
    prepare_data,
    run_command,
)

from im2tex.commands.trainer.config_layers import load_config
from im2tex.data.pack import Pack
from im2tex.errors import Im2TexError

SNAPSHOT_S = 120.0
CHECKPOINT_S = 45.0  # between two checkpoints of a fit
PROBE_S = 60.0  # all probes together
MARGIN = 0.9  # fraction of the measured speed that is counted on
OVERRUN = 1.25  # factor on a fit's time at which it is stopped
STOP_S = 20.0  # at the end of a call, for a fit's last checkpoint and the last snapshot
MAX_WORKERS = 14


class Stopped(Exception):
    """The call must end: its time is over, or a signal came."""


class Queue:
    """The queue, with the state of earlier calls.

    Example:
        >>> Queue(Options(Path("data.im2tex"), Path("out"), seconds=540, total=750)).work_through()

    Args:
        options: the command line.
    """

    def __init__(self, options: Options) -> None:
        self.options = options
        options.work.mkdir(parents=True, exist_ok=True)
        self.log = options.work / LOG
        self.processes = Processes(self.log)
        self.files = OutFiles(options, self.processes, self.say)
        self.state = self.files.state
        for _, stage in self._stages():
            if stage["status"] == "failed":  # in an earlier call
                stage["status"] = "waiting"
        self.spent_before = float(self.state["spent"])
        self.stop_asked = False
        self.signum = 0
        self.gpu = GpuLog(options.work / "gpu.csv")
        self.samples: dict[str, int] = {}
        self.settings: dict[str, dict[str, Any]] = {}

    def work_through(self) -> int:
        """Works through the queue.

        Returns:
            0 if it is complete or can go on, 1 after a failure, 128 plus the number of a signal.
        """
        with self._listening():
            try:
                self._prepare()
                self._probe()
                for run in self.options.runs:
                    self._run(run)
                failed = [name for name, one in self._stages() if one["status"] == "failed"]
                self.say(f"failed: {', '.join(failed)}" if failed else "the queue is complete")
            except Stopped as stop:
                self.say(f"{stop}: call again with the files of {self.options.out} to go on")
            finally:
                self._snapshot()
                self.gpu.close()
        self._print_results()
        if self.signum:
            return 128 + self.signum
        return int(any(one["status"] == "failed" for _, one in self._stages()))

    def _stages(self) -> list[tuple[str, dict[str, Any]]]:
        return list(self.state["stages"].items())

    def say(self, text: str) -> None:
        """Prints a line with the time of the call, also to the log."""
        line = f"[{self.options.elapsed:5.0f} s] {text}"
        print(line)
        with self.log.open("a", encoding="utf-8") as file:
            print(line, file=file)

    def _prepare(self) -> None:
        """Looks at the machine, and unpacks the data."""
        options = self.options
        report = options.work / "machine.json"
        if self.processes.run(describe_machine, report):
            fail(f"torch does not work here: see {options.out / LOG}")
        machine = json.loads(report.read_text(encoding="utf-8"))
        if machine["gpu"] is None and has_driver() and self.processes.method == "fork":
            self.processes.method = "spawn"  # a library has initialised the GPU in this process
            self.processes.run(describe_machine, report)
            machine = json.loads(report.read_text(encoding="utf-8"))
        self.state["machines"].append(machine)
        self.say(", ".join(f"{name} {value}" for name, value in machine.items()))
        if not options.rehearse and machine["gpu"] is None:
            fail("torch finds no GPU; --rehearse works on a CPU")
        try:
            pack = Pack(options.pack)
            pack.unpack()
        except Im2TexError as error:
            fail(str(error))
        if self.state.setdefault("pack", pack.digest) != pack.digest:
            fail(f"{options.out} belongs to another pack than {options.pack}: name another folder")
        for source in sorted({fit.source for fit in options.fits}):
            files = pack.training_files(source)
            if not files:
                fail(f"{options.pack} has no training split of {source}")
            self.samples[source] = sum(file.notes["samples"] for file in files)
            self.settings[source] = pack.settings(source)
        began = time.monotonic()
        if self.processes.run(prepare_data, options.pack, self.settings):
            fail(f"{options.pack} cannot be used: see {options.out / LOG}")
        took = time.monotonic() - began
        self.say(f"data prepared in {took:.0f} s")
        if options.rehearse:
            options.started += took  # two cores take minutes for what a GPU machine's do in seconds
        self._snapshot()

    def _probe(self) -> None:
        """Measures the speeds that are not known yet."""
        speeds = self.state["speeds"]
        fits = {fit.speed: fit for fit in self.options.fits if fit.speed not in speeds}
        for name, fit in fits.items():
            seconds = 3 if self.options.rehearse else round(PROBE_S / len(fits))
            flags = [
                *self._fit_flags(fit, f"probe-{name}"),
                *("--trainer.max_epochs", "1000", "--trainer.limit_val_batches", "0"),
                *("--trainer.enable_checkpointing", "false"),
            ]
            began = time.monotonic()
            status = self._command(f"probe-{name}", flags, 4 * seconds + 120, seconds)
            start = max(0.0, time.monotonic() - began - seconds)
            speed = self._read_speed(f"probe-{name}")
            if status or speed is None:
                if self._time_is_over():
                    raise Stopped(f"the probe of {name} was interrupted")
                self.say(f"probe of {name}: status {status}, no speed; see {LOG}")
                continue
            known = self.state["start_s"]
            self.state["start_s"] = start if known is None else min(known, start)
            busy = self.gpu.utilization()[-seconds:]
            speeds[name] = speed | {"gpu_busy": sum(busy) / len(busy) if busy else None}
            self.say(
                f"probe of {name}: {speed['images_per_s']:.0f} images/s, "
                f"{speed['steps_per_s']:.2f} steps/s, waits for data {speed['waiting']:.0%} of the "
                f"time, started in {start:.0f} s"
                + (f", GPU busy {sum(busy) / len(busy):.0%} of it" if busy else "")
            )

    def _read_speed(self, name: str) -> dict[str, Any] | None:
        speed = read_speed(self.options.work / f"{name}.meter.jsonl")
        return None if speed is None else speed._asdict()

    def _run(self, run: str) -> None:
        """Makes the fits of a run that are not complete, and the test."""
        before: Fit | None = None
        for fit in RUNS[run]:
            stage = self._stage(fit.name)
            if stage["status"] in ("waiting", "running"):
                self._fit(fit, before)
                stage = self._stage(fit.name)
            if stage["status"] not in ("done", "cut"):
                return
            before = fit
        assert before is not None
        if self._stage(f"test-{run}")["status"] != "done":
            self._test(run, before)

    def _stage(self, name: str) -> dict[str, Any]:
        stage: dict[str, Any] = self.state["stages"].setdefault(
            name, {"status": "waiting", "steps": 0}
        )
        return stage

    def _fit(self, fit: Fit, before: Fit | None) -> None:
        """Makes a fit in its share of the time, or goes on with it."""
        stage = self._stage(fit.name)
        speed = self.state["speeds"].get(fit.speed)
        if speed is None:
            stage["status"] = "failed"
            return
        last = self.files.checkpoint(fit.name)
        start: list[str] = []
        if last is not None:
            start = ["--ckpt_path", str(last)]
        else:
            stage["steps"] = 0
            if before is not None:
                weights = self.files.checkpoint(before.name)
                if weights is None:
                    self.say(f"{before.name} is repeated")
                    self._stage(before.name)["status"] = "waiting"
                    self._fit(before, None)
                    weights = self.files.checkpoint(before.name)
                if weights is None:
                    stage["status"] = "failed"
                    return
                start = ["--model.init_from", str(weights)]
        budget = self._budget(fit)
        done, steps = stage["steps"], self._steps(fit, speed, budget, stage["steps"])
        if steps <= done:
            if not done:
                raise Stopped(f"no time is left for {fit.name}, of {self.options.total:.0f} s")
            stage["status"] = "done"
            return
        stage |= {"status": "running", "of": steps}
        self.say(f"{fit.name}: steps {done} to {steps} in {budget:.0f} s")
        every = 20 if self.options.rehearse else max(1, round(CHECKPOINT_S * speed["steps_per_s"]))
        flags = [
            *self._fit_flags(fit, fit.name),
            *("--trainer.max_epochs", "-1", "--trainer.max_steps", str(steps)),
            *("--trainer.check_val_every_n_epoch", "null"),
            *("--trainer.val_check_interval", str(-(-steps // 2))),
            *("--checkpoint.every_n_train_steps", str(every)),
            *start,
        ]
        began = time.monotonic()
        status = self._command(fit.name, flags, OVERRUN * budget + 30)
        stage["seconds"] = round(stage.get("seconds", 0) + time.monotonic() - began, 1)
        speed |= self._read_speed(fit.name) or {}
        stopped = status == 128 + signal.SIGTERM
        if status and self._time_is_over():
            raise Stopped(f"{fit.name} was interrupted")
        stage["status"] = "cut" if stopped else "failed" if status else "done"
        self.say(f"{fit.name}: {stage['status']}, {speed['images_per_s']:.0f} images/s")
        self._snapshot()

    def _test(self, run: str, fit: Fit) -> None:
        """Tests the last checkpoint of a run, without the scores that need TeX."""
        name, weights = f"test-{run}", self.files.checkpoint(fit.name)
        if weights is None:
            self.say(f"{name}: the weights of {fit.name} are lost")
            return
        flags = [
            *("test", "--ckpt_path", str(weights), *self._machine_flags(name)),
            *("--report.folder", str(self.options.work), "--report.study", "results"),
            *("--report.name", run, "--report.engine", "none"),
            *(("--trainer.limit_test_batches", "2") if self.options.rehearse else ()),
        ]
        began = time.monotonic()
        status = self._command(name, flags, 300)
        if status and self._time_is_over():
            raise Stopped(f"{name} was interrupted")
        took = time.monotonic() - began
        self._stage(name).update(status="failed" if status else "done", seconds=round(took, 1))
        if not status:
            self.state["test_s"] = round(took, 1)
        self.say(f"{name}: {self._stage(name)['status']} in {took:.0f} s")
        self._snapshot()

    def _fit_flags(self, fit: Fit, name: str) -> list[str]:
        settings = self.settings[fit.source]
        return [
            *("fit", "--config", str(CONFIGS / fit.config), *self._machine_flags(name)),
            *(("--data.source_args", json.dumps(settings)) if settings else ()),
            *("--trainer.num_sanity_val_steps", "0", "--trainer.callbacks+", "quarter_meter.Meter"),
            *(TOY if self.options.rehearse else ()),
            *self.options.flags,
        ]

    def _machine_flags(self, name: str) -> list[str]:
        workers = max(1, min(MAX_WORKERS, (os.cpu_count() or 2) - 2))
        return [
            *("--data.root", str(self.options.pack), "--data.num_workers", str(workers)),
            *("--trainer.accelerator", "cpu" if self.options.rehearse else "gpu"),
            *("--trainer.devices", "1", "--trainer.enable_progress_bar", "false"),
            *("--trainer.default_root_dir", str(self.options.work / name)),
        ]

    def _budget(self, fit: Fit) -> float:
        """Seconds of training for a fit: its share of what is left for all of them."""
        stages, runs = self.state["stages"], self.options.runs
        status = {name: one["status"] for name, one in stages.items()}
        waiting = [
            one
            for one in self.options.fits
            if status.get(one.name, "waiting") in ("waiting", "running")
        ]
        tests = sum(status.get(f"test-{run}") != "done" for run in runs)
        test_s: float = self.state["test_s"] or min(40.0, 0.04 * self.options.total)
        left: float = self.options.total - self._spent() - self._stop_s()
        left -= tests * test_s + len(waiting) * (self.state["start_s"] or 0.0)
        return left * fit.share / sum(one.share for one in waiting)

    def _steps(self, fit: Fit, speed: dict[str, Any], budget: float, done: int) -> int:
        """The step at which a fit ends: by its budget, at most those of its configuration."""
        epochs = load_config(CONFIGS / fit.config)["trainer"]["max_epochs"]
        samples = TOY_SAMPLES if self.options.rehearse else self.samples[fit.source]
        most = epochs * samples * speed["steps_per_s"] / speed["images_per_s"]
        return min(int(most), done + int(MARGIN * speed["steps_per_s"] * budget))

    def _command(
        self, name: str, arguments: Sequence[str], seconds: float, probed: float | None = None
    ) -> int:
        """Runs a command of im2tex, and takes snapshots meanwhile.

        Args:
            name: of the stage.
            arguments: of the command.
            seconds: time after which it is stopped.
            probed: seconds of training after which a probe ends by itself.

        Returns:
            The exit status.
        """
        if self._time_is_over():
            raise Stopped(f"no time is left for {name}")
        meter = self.options.work / f"{name}.meter.jsonl"
        meter.unlink(missing_ok=True)
        with self.log.open("a", encoding="utf-8") as file:
            print(f"+ im2tex {shlex.join(arguments)}", file=file)
        variables = {VARIABLE: str(meter)} | ({LIMIT: str(probed)} if probed else {})
        process = self.processes.start(run_command, arguments, variables)
        end, is_asked = time.monotonic() + seconds, False
        while process.is_alive():
            process.join(0.2)
            if self.options.interrupted == name and self.files.newest(name):
                self.stop_asked = True
            now = time.monotonic()
            if not is_asked and (now > end or self._time_is_over()):
                process.terminate()
                is_asked, end = True, now + self._stop_s()
            elif is_asked and now > end:
                process.kill()
            if not is_asked and now > self.files.copied + SNAPSHOT_S:
                self._snapshot()
        status = process.exitcode or 0
        return 128 - status if status < 0 else status

    def _snapshot(self) -> None:
        self.files.snapshot(self._spent())

    def _time_is_over(self) -> bool:
        return self.stop_asked or self.options.elapsed > self.options.seconds - self._stop_s()

    def _stop_s(self) -> float:
        return min(STOP_S, 0.1 * self.options.seconds)

    def _spent(self) -> float:
        return self.spent_before + self.options.elapsed

    @contextmanager
    def _listening(self) -> Iterator[None]:
        """Lets SIGTERM and Ctrl-C end the call as if its time were over."""

        def ask(signum: int, frame: FrameType | None) -> None:
            self.stop_asked, self.signum = True, signum

        before = {one: signal.signal(one, ask) for one in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for signum, handler in before.items():
                signal.signal(signum, handler)

    def _print_results(self) -> None:
        paths = {run: self.options.work / "results" / f"{run}.json" for run in self.options.runs}
        paths = {run: path for run, path in paths.items() if path.is_file()}
        for run, path in paths.items():
            for split, metrics in json.loads(path.read_text(encoding="utf-8"))["metrics"].items():
                shown = sorted({"token_exact", "expression_rate", "perplexity"} & set(metrics))
                print(f"{run}, {split}: {', '.join(f'{n} {metrics[n]:.4f}' for n in shown)}")
        if paths:
            print(
                f"Predictions: results/RUN.SPLIT.samples.jsonl in {self.options.out / RESULTS}. "
                "Where TeX is installed, `im2tex score --predictions FILE --references "
                "crohme:SPLIT` adds the scores of the images."
            )


def fail(message: str) -> NoReturn:
    """Ends the call with a message."""
    print(f"gpu_quarter: {message}", file=sys.stderr)
    raise SystemExit(2)
