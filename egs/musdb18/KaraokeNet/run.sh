#!/usr/bin/env bash
# MUSDB18 or MUSDB18-HQ with its official splits: a model, its scores, what can be published. See README.md.
#
#   ./run.sh --musdb18_dir DIR --decode true --tag mine
#   ./run.sh --stage 3 --tag mine     # train again, or go on with exp/train_KaraokeNet_mine
cd "$(dirname "$0")" || exit 1
recipe=musdb18/KaraokeNet
help_message="Train KaraokeNet on MUSDB18 or MUSDB18-HQ, score it and publish it.

Corpus (stage 0 says where to get it):
  --musdb18_dir DIR    its folder, which holds train and test
  --decode true        store it once more as wav (13 GB), from which training reads faster
  --jobs N             songs to prepare at a time
  --scheduler ADDRESS  a Dask scheduler whose workers do it instead (see asteroid_karaoke.cluster)"
own_options="musdb18_dir decode jobs scheduler"
musdb18_dir=
decode=false
jobs=2
scheduler=

get_audio() {
  # Meant as seen from where this script was called.
  [[ -z $musdb18_dir || $musdb18_dir == /* ]] || musdb18_dir=$called_from/$musdb18_dir
  "$python_path" -m recipes.musdb18 download --storage_dir "$storage_dir" \
    ${musdb18_dir:+--musdb18_dir "$musdb18_dir"}
}
make_manifests() {
  local options=(--jobs "$jobs")
  [[ $decode == true ]] && options+=(--decode)
  [[ -n $scheduler ]] && options+=(--scheduler "$scheduler")
  "$python_path" -m recipes.musdb18 prepare --storage_dir "$storage_dir" "${options[@]}"
}

. ../../common/recipe.sh
