#!/bin/sh
# The study of pretraining on synthetic handwriting, as a queue: every line is a chain that ends
# with a test of 2013 and 2014. Started again after an interruption, the script resumes.
#
#   im2tex data prepare crohme --from PATH
#   im2tex data glyphs --out data/glyphs/bank.parquet
#   im2tex data prepare handwriting --from FORMULAS
#   sh results/transfer/study.sh
#
# The results here were trained at commit 13b09ce. Natural handwriting has changed since, at 322c2f7:
# symbols are spaced so that they do not touch.
set -eu
synthetic=configs/synthetic_small.yaml
crohme=configs/crohme_small.yaml
runs=runs/transfer

pretrained() { # NAME, flags of pretraining, flags of fine-tuning, flags of both
    im2tex chain "$synthetic $2" "$crohme $3" --out "$runs/$1" -- $4
}
scratch() { # NAME, flags
    im2tex chain "$crohme" --out "$runs/$1" -- $2
}

pretrained pretrained_seed0 "" "" --seed_everything=0
first=$(echo "$runs"/pretrained_seed0/1-synthetic_small/version_*/checkpoints/best.ckpt)
if [ ! -e "$runs/synthetic_only/results/synthetic_only.json" ]; then # never saw an ink of CROHME
    im2tex test --ckpt_path "$first" --data.source crohme --trainer.default_root_dir \
        "$runs/synthetic_only" --report.folder "$runs/synthetic_only" --report.study results \
        --report.name synthetic_only
fi
scratch scratch_seed1 --seed_everything=1
pretrained pretrained_seed1 "" "" --seed_everything=1
pretrained faithful "--data.source_args.manner=faithful" "" --seed_everything=0
pretrained synthetic_16k "--data.train_samples=16000 --trainer.max_epochs=4" "" --seed_everything=0
scratch scratch_crohme_2k "--data.train_samples=2000 --seed_everything=0"
scratch pretrained_crohme_2k "--data.train_samples=2000 --seed_everything=0 --model.init_from=$first"
scratch scratch_seed0 --seed_everything=0
