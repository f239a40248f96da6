#!/bin/bash
# Five runs from small to large, each starting from the picture of the one before. As spec/parity.md, section 12.

STYLE=starry_night_gigapixel.jpg
CONTENT=examples/inputs/hoovertowernight.jpg
STYLE_WEIGHT=5e2
STYLE_SCALE=1.0

th neural_style.lua -content_image $CONTENT -style_image $STYLE \
  -style_scale $STYLE_SCALE -style_weight $STYLE_WEIGHT \
  -image_size 256 -num_iterations 1000 -init random \
  -tv_weight 0 -print_iter 1 -backend cudnn -cudnn_autotune \
  -output_image out1.png

th neural_style.lua -content_image $CONTENT -style_image $STYLE \
  -style_scale $STYLE_SCALE -style_weight $STYLE_WEIGHT \
  -image_size 512 -num_iterations 500 -init image -init_image out1.png \
  -tv_weight 0 -print_iter 1 -backend cudnn -cudnn_autotune \
  -output_image out2.png

th neural_style.lua -content_image $CONTENT -style_image $STYLE \
  -style_scale $STYLE_SCALE -style_weight $STYLE_WEIGHT \
  -image_size 1024 -num_iterations 200 -init image -init_image out2.png \
  -tv_weight 0 -print_iter 1 -backend cudnn -cudnn_autotune \
  -output_image out3.png

th neural_style.lua -content_image $CONTENT -style_image $STYLE \
  -style_scale $STYLE_SCALE -style_weight $STYLE_WEIGHT \
  -image_size 2048 -num_iterations 100 -init image -init_image out3.png \
  -tv_weight 0 -print_iter 1 -gpu 0,1 -backend cudnn \
  -output_image out4.png

th neural_style.lua -content_image $CONTENT -style_image $STYLE \
  -style_scale $STYLE_SCALE -style_weight $STYLE_WEIGHT \
  -image_size 3620 -num_iterations 50 -save_iter 25 -init image -init_image out4.png \
  -tv_weight 0 -print_iter 1 -lbfgs_num_correction 5 \
  -gpu 0,1,2,3 -multigpu_strategy 3,6,12 -backend cudnn \
  -output_image out5.png
