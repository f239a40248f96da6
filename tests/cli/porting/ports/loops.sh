#!/usr/bin/env bash
# Styles and weights, one picture each, in the background.
set -e
STYLES="styles/candy.jpg styles/waves.jpg"
OUT=${OUT:-results}
mkdir -p $OUT
for style in $STYLES; do
  name=${style##*/}
  for weight in 1e2 0.5; do
    echo "$style with $weight"
    CUDA_VISIBLE_DEVICES=0 nohup th neural_style.lua -style_image "$style" -content_image me.jpg \
      -style_weight $weight -gpu -1 -backend cudnn \
      -output_image "$OUT/${name%.jpg}_$weight.png" > log.txt 2>&1 &
  done
done
montage $OUT/*.png all.png
