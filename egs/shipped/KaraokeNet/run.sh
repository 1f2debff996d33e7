#!/usr/bin/env bash
# The weights that ship: five hours of freely available songs, a teacher's labels. See README.md.
#
#   ./run.sh --source_dir DIR --tag long
#   ./run.sh --stage 3 --tag long     # go on with exp/train_KaraokeNet_long
cd "$(dirname "$0")" || exit 1
recipe=shipped/KaraokeNet
help_message="Train KaraokeNet as the weights that ship were trained.

Corpus (what is in it and from where: recipes/shipped.py):
  --source_dir DIR     folder with index.csv and the files it lists
  --free_only true     do not train on songs under non-commercial licences
  --jobs N             songs to decode and label at a time
  --scheduler ADDRESS  a Dask scheduler whose workers do it instead (see asteroid_karaoke.cluster)"
own_options="source_dir free_only jobs scheduler"
source_dir=
free_only=false
jobs=2
scheduler=

get_audio() {
  # Meant as seen from where this script was called.
  [[ -z $source_dir || $source_dir == /* ]] || source_dir=$called_from/$source_dir
  "$python_path" -m recipes.shipped download --storage_dir "$storage_dir" \
    ${source_dir:+--source_dir "$source_dir"}
}
make_manifests() {
  local options=(--jobs "$jobs")
  [[ $free_only == true ]] && options+=(--free_only)
  [[ -n $scheduler ]] && options+=(--scheduler "$scheduler")
  "$python_path" -m recipes.shipped prepare --storage_dir "$storage_dir" "${options[@]}"
}

. ../../common/recipe.sh
