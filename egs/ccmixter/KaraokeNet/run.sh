#!/usr/bin/env bash
# The 50 songs of CCMixter, fetched by hand: a model, its scores, what can be published. See README.md.
#
#   ./run.sh --ccmixter_zip ccmixter_corpus.zip --tag mine
#   ./run.sh --stage 0 --stop_stage 1 --ccmixter_dir DIR
#   ./run.sh --stage 3 --tag mine     # train again, or go on with exp/train_KaraokeNet_mine
cd "$(dirname "$0")" || exit 1
recipe=ccmixter/KaraokeNet
help_message="Train KaraokeNet on the CCMixter corpus, score it and publish it.

Corpus (stage 0 says where to get it):
  --ccmixter_zip FILE  its archive; or
  --ccmixter_dir DIR   its folder, once unpacked
  --jobs N             songs to check at a time
  --scheduler ADDRESS  a Dask scheduler whose workers do it instead (see asteroid_karaoke.cluster)"
own_options="ccmixter_zip ccmixter_dir jobs scheduler"
ccmixter_zip=
ccmixter_dir=
jobs=2
scheduler=

# Names are meant as seen from where this script was called.
get_audio() {
  local name
  for name in ccmixter_zip ccmixter_dir; do
    [[ -z ${!name} || ${!name} == /* ]] || printf -v "$name" '%s' "$called_from/${!name}"
  done
  "$python_path" -m recipes.ccmixter download --storage_dir "$storage_dir" \
    ${ccmixter_zip:+--ccmixter_zip "$ccmixter_zip"} ${ccmixter_dir:+--ccmixter_dir "$ccmixter_dir"}
}
make_manifests() {
  "$python_path" -m recipes.ccmixter prepare --storage_dir "$storage_dir" --jobs "$jobs" \
    ${scheduler:+--scheduler "$scheduler"}
}

. ../../common/recipe.sh
