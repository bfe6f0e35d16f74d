"""`trainer.precision: auto`, resolved to the precision that the devices compute fastest."""

from __future__ import annotations

import platform
import warnings
from typing import Any, cast

import torch
from lightning.fabric.plugins.precision.precision import _PRECISION_INPUT
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.accelerators import CUDAAccelerator
from lightning.pytorch.utilities import rank_zero_info

AUTO = "auto"
"""The precision that `resolve_precision` replaces."""


def resolve_precision(
    precision: str | int | None = AUTO,
    *,
    accelerator: str = "auto",
    devices: Any = "auto",
    training: bool = True,
) -> _PRECISION_INPUT:
    """The precision for Lightning's Trainer; logs which one `auto` becomes, and why.

    `auto` becomes `bf16-mixed` where the devices compute in bf16 natively, `16-mixed` on CUDA GPUs
    that do not, and `32-true` elsewhere. Evaluation on a CPU is in `32-true`, so that results do
    not depend on the processor. Any other precision is returned as it is, with a warning where it
    is slow.

    Example:
        >>> precision = resolve_precision("auto", accelerator="cpu")
        >>> Trainer(accelerator="cpu", precision=precision)

    Args:
        precision: `auto` or a precision of Lightning; None is `auto`.
        accelerator: as of the Trainer: `auto`, `cpu`, `gpu`, `cuda`, or another name.
        devices: as of the Trainer; the least capable of several GPUs decides.
        training: whether the Trainer fits a model, rather than evaluates one.
    """
    kind = _device_kind(accelerator)
    if precision in (AUTO, None):
        if kind == "cpu" and not training:
            resolved, reason = "32-true", "results then do not depend on the processor"
        else:
            resolved, reason = _fastest(kind, devices)
        rank_zero_info(f"precision {resolved}, chosen by auto: {reason}.")
        return cast(_PRECISION_INPUT, resolved)
    chosen = str(precision)
    width = chosen.partition("-")[0]
    if kind == "cpu" and width == "16":
        _warn(f"precision {chosen} is slow on a CPU")
    elif kind == "cpu" and width == "bf16" and not cpu_has_bf16():
        _warn(f"precision {chosen} is slow on this CPU, which has no bf16 instructions")
    return cast(_PRECISION_INPUT, chosen)


def cpu_has_bf16() -> bool:
    """Whether the CPU has bf16 instructions: AVX-512 BF16 or AMX, or those of Arm.

    With other AVX-512 instructions alone, oneDNN emulates bf16, which is slower than float32.
    """
    if not torch.ops.mkldnn._is_mkldnn_bf16_supported():
        return False
    if platform.machine().lower() not in ("x86_64", "amd64"):
        return True
    return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())


def gpus_have_bf16(devices: Any) -> bool:
    """Whether all chosen CUDA GPUs have bf16 instructions (compute capability 8, or ROCm).

    Args:
        devices: as of the Trainer; all GPUs if they cannot be parsed.
    """
    if torch.version.hip:
        return True
    count = torch.cuda.device_count()
    try:
        chosen = CUDAAccelerator.parse_devices(count if devices in (AUTO, None) else devices)
    except (MisconfigurationException, TypeError, ValueError):  # the Trainer says what is wrong
        chosen = None
    return all(torch.cuda.get_device_capability(k)[0] >= 8 for k in chosen or range(count))


def _fastest(kind: str, devices: Any) -> tuple[str, str]:
    """The fastest precision of a device, and the reason."""
    if kind == "cpu":
        if cpu_has_bf16():
            return "bf16-mixed", "the CPU has bf16 instructions"
        return "32-true", "the CPU has no bf16 instructions (AVX-512 BF16 or AMX)"
    if kind == "cuda":
        if gpus_have_bf16(devices):
            return "bf16-mixed", "the GPU has bf16 instructions"
        return "16-mixed", "the GPU has no bf16 instructions"
    return "32-true", f"mixed precision is not tested on accelerator {kind}"


def _device_kind(accelerator: str) -> str:
    """The kind of device that the Trainer takes for a name: `cpu`, `cuda`, or the name."""
    name = accelerator.lower()
    if name not in ("auto", "gpu"):
        return name
    if torch.cuda.is_available():
        return "cuda"
    if torch.backends.mps.is_available():
        return "mps"
    return "cpu"


def _warn(problem: str) -> None:
    warnings.warn(
        f"{problem}: set trainer.precision to auto or 32-true.", UserWarning, stacklevel=3
    )
