#!/bin/sh
# The five attentions of the paper on CROHME, at a size that 2 cores can train: 9 epochs each, from
# scratch; hard attention 6 epochs as hierarchical, then 3 by REINFORCE. Started again after an
# interruption, the script resumes.
#
#   im2tex data prepare crohme --from PATH
#   sh results/attention/study.sh
set -eu
config=configs/crohme_small.yaml
runs=runs/attention
coarse="--model.encoder_args.coarse=true --model.attention"

im2tex chain "$config --trainer.max_epochs=9" --out $runs/standard
for attention in coarse_only hierarchical sparsemax; do
    im2tex chain "$config --trainer.max_epochs=9 $coarse=$attention" --out $runs/$attention
done
im2tex chain "$config --trainer.max_epochs=6 $coarse=hierarchical" \
    "$config --trainer.max_epochs=3 --trainer.check_val_every_n_epoch=1 --model.decoder_args.guided_attention=0 \
     --model.optimizer_args.lr=3.0e-4 $coarse=hard" --out $runs/hard

mkdir -p results/attention
cp $runs/*/results/*.json $runs/*/results/*.md results/attention/
im2tex report study results/attention --out results/attention/README.md
# Processor time of a decoding step of each model, with one thread:
best() { # NAME=CHECKPOINT of the last continuation of a run's part
    for found in "$runs/$1/$2"-crohme_small/version_*/checkpoints/best.ckpt; do :; done
    echo "$1=$found"
}
python benchmarks/reading.py data/crohme/test_2014.parquet "$(best standard 1)" \
    "$(best coarse_only 1)" "$(best hierarchical 1)" "$(best sparsemax 1)" "$(best hard 2)" \
    >results/attention/steps.txt
