#!/bin/sh
# Selects the models and image scales of the packaged ensemble `handwritten_small` on CROHME's
# validation split, tests it once and exports it. The models are from results/transfer: the same size
# and data, other seeds, styles and numbers of synthetic formulas. Started again after an
# interruption, the script resumes.
#
#   sh results/transfer/study.sh
#   sh results/together/study.sh
set -eu
best() { # the one of a run's last continuation
    for found in runs/transfer/"$1"/2-crohme_small/version_*/checkpoints/best.ckpt; do :; done
    echo "$found"
}
first=$(best pretrained_seed0)
second=$(best pretrained_seed1)
all=$second,$(best faithful),$(best synthetic_16k)
sizes="--model.views=[0.8,1,1.25]"

run() { # NAME, flags
    name=$1
    shift
    if [ ! -e "runs/together/results/$name.json" ]; then
        im2tex test --ckpt_path "$first" --trainer.default_root_dir "runs/together/$name" \
            --report.folder runs/together --report.study results --report.name "$name" "$@"
    fi
}
validate() {
    run "$@" --data.test_splits="[validation]"
}

validate one
validate one_views "$sizes"
validate two --model.ensemble="[$second]"
validate two_views --model.ensemble="[$second]" "$sizes"
validate four --model.ensemble="[$all]"
validate four_views --model.ensemble="[$all]" "$sizes"
run handwritten_small --model.ensemble="[$second]" "$sizes"

cp runs/together/results/*.json runs/together/results/*.md results/together/
im2tex report study results/together --out results/together/README.md
im2tex export --ckpt_path "$first" --ensemble "$second" --views 0.8 1 1.25 \
    --result results/together/handwritten_small.json --trained_on "synthetic handwriting, composed \
of Detexify's samples (ODbL) and symbols of CROHME's training inks (CC BY-NC-SA 3.0), of formulas \
sampled from arXiv's" --out im2tex/models/handwritten_small
