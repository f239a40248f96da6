# For each photo a small picture and a large one that starts from it.
for photo in photos/*.jpg; do
  base=$(basename $photo)
  out=${photo%.*}
  th neural_style.lua -content_image $photo -image_size {200..200} -output_image $out.png
  th neural_style.lua -content_image $photo -init image -init_image ${out}_500.png -output_image $out.png
done
