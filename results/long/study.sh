#!/bin/sh
# The recipe of results/transfer for longer: 1,000,000 images of synthetic handwriting, then 250,000
# of CROHME, with the same model of 1.70 M parameters, so that the curves can be compared. Run again
# after an interruption, the script resumes; stop it with SIGKILL, because at this commit SIGTERM
# ends a fit as if it were complete.
#
#   IM2TEX_DATA=PATH sh results/long/study.sh WORK
#
# WORK is a folder outside of the checkout. The script makes in it a clone at the commit below, a
# virtual environment, the data, the runs and the log. THREADS is 1 if not given.
set -eu
commit=e526574
formulas=201100 # 1 in 200 for validation
work=$1
data=$(cd "$IM2TEX_DATA" && pwd)
source=$(cd "$(dirname "$0")/../.." && pwd)
export GOMP_SPINCOUNT=0 OMP_NUM_THREADS="${THREADS:-1}" PYTHONUNBUFFERED=1

mkdir -p "$work"
cd "$work"
[ -d im2tex ] || git clone --quiet "$source" im2tex
git -C im2tex checkout --quiet --detach "$commit"
[ -x venv/bin/python ] || python3 -m venv venv
[ -x venv/bin/im2tex ] || venv/bin/pip install --quiet -e im2tex
PATH=$PWD/venv/bin:$PATH

cd im2tex
[ -e data/crohme/test_2014.parquet ] || im2tex data prepare crohme --from "$data/crohme"
[ -e data/glyphs/bank.parquet ] ||
    im2tex data glyphs --out data/glyphs/bank.parquet --detexify "$data/detexify"
[ -e data/handwriting/validation.parquet ] ||
    im2tex data prepare handwriting --from "$data/arxiv/formulas.tsv.xz" \
        --source_args "{count: $formulas, validation: 0.005}"

# bf16 is slower than float32 where the processor has no instructions for it.
precision=$(python -c 'import torch
print("bf16-mixed" if torch.ops.mkldnn._is_mkldnn_bf16_supported() else "32-true")')
cat >../synthetic_long.yaml <<YAML
base: im2tex/configs/synthetic_small.yaml
trainer: {precision: $precision, max_epochs: 5, val_check_interval: 0.1}
data: {source_args: {count: $formulas, validation: 0.005}}
checkpoint: {every_n_train_steps: 500}
YAML
cat >../crohme_long.yaml <<YAML
base: im2tex/configs/crohme_small.yaml
trainer: {precision: $precision, max_epochs: 32, check_val_every_n_epoch: 2}
checkpoint: {every_n_train_steps: 500}
YAML
echo "$(date -u +%FT%TZ) start: $precision, $OMP_NUM_THREADS thread(s), $(sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1)"

# A stage that was stopped early counts as incomplete, whatever its file `done` says.
python - <<'PYTHON'
from pathlib import Path

import torch

for stage, epochs in (("1-synthetic_long", 5), ("2-crohme_long", 32)):
    folder = Path("../runs/long") / stage
    files = sorted(folder.glob("**/checkpoints/last.ckpt"), key=lambda file: file.stat().st_mtime)
    if files:
        last = torch.load(files[-1], map_location="cpu", weights_only=True, mmap=True)
        print(f"{files[-1]}: epoch {last['epoch']} of {epochs}, step {last['global_step']}")
        if last["epoch"] < epochs - 1:
            (folder / "done").unlink(missing_ok=True)
PYTHON
im2tex chain ../synthetic_long.yaml ../crohme_long.yaml --out ../runs/long

best=$(ls -t ../runs/long/2-crohme_long/version_*/checkpoints/best.ckpt | head -n 1)
tested() { # NAME, flags
    name=$1
    shift
    [ -e "../runs/long/results/$name.json" ] || im2tex test --ckpt_path "$best" \
        --trainer.default_root_dir "../runs/long/$name" --report.folder ../runs/long \
        --report.study results --report.name "$name" "$@"
}
tested validation "--data.test_splits=[validation]"
tested validation_scales "--data.test_splits=[validation]" "--model.views=[0.8,1,1.25]"
tested scales "--model.views=[0.8,1,1.25]"
echo "$(date -u +%FT%TZ) end"
