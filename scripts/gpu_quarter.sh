#!/bin/bash
# Trains on a GPU machine that is lent for minutes, without network, TeX or an installed package.
#
#   scripts/gpu_quarter.sh PACK OUT [SECONDS] [--total SECONDS] [--runs small,transfer,scratch]
#   scripts/gpu_quarter.sh --rehearse PACK OUT [SECONDS]     # at toy size on a CPU
#   scripts/gpu_quarter.sh --join FOLDER PACK OUT            # checkpoints from the weights in OUT
#
# PACK is a file of `im2tex data pack crohme handwriting`. At most eight files are written to OUT,
# each below 16 MB, every two minutes; a call with the files of an earlier one in OUT goes on.
# docs/borrowed_gpu.md describes the queue, the files, and what a resumed fit has lost.
#
# The machine needs Python 3.11, torch, lightning, torchmetrics, timm, pyarrow, pillow, scipy,
# sacrebleu, safetensors, requests, pyyaml and rich. Five more packages can be carried as wheels, 5 MB:
#
#   pip download --no-deps --only-binary=:all: --python-version 3.12 \
#     --platform manylinux_2_28_x86_64 -d wheels "jsonargparse<5" typeshed-client docstring-parser \
#     rapidfuzz Hershey-Fonts
#   pip install --no-index --no-deps --target /tmp/site wheels/*.whl   # there
#   PYTHONPATH=/tmp/site scripts/gpu_quarter.sh PACK OUT 540
set -eu
here=$(cd "$(dirname "$0")" && pwd)
export PYTHONPATH="$here/..${PYTHONPATH:+:$PYTHONPATH}" PYTHONUNBUFFERED=1
export OMP_NUM_THREADS="${OMP_NUM_THREADS:-1}" GOMP_SPINCOUNT="${GOMP_SPINCOUNT:-0}"
export WANDB_MODE=disabled HF_HUB_OFFLINE=1
exec "${PYTHON:-python3}" "$here/gpu_quarter.py" "$@"
