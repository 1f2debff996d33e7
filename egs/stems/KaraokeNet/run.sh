#!/usr/bin/env bash
# Your own songs with stems, and voices and music alone: a model, its scores, what can be published. See README.md.
#
#   ./run.sh --corpus_dir DIR --tag mine
#   ./run.sh --stage 3 --tag mine     # train again, or go on with exp/train_KaraokeNet_mine
cd "$(dirname "$0")" || exit 1
recipe=stems/KaraokeNet
help_message="Train KaraokeNet on folders of stems, score it and publish it.

Corpus (how the folders may look: recipes/stems.py):
  --corpus_dir DIR     folder that holds songs and pools
  --valid SHARE        share of the songs to validate on
  --test SHARE         share of the songs to test on
  --decode true        store the songs once more as wav, from which training reads faster
  --jobs N             songs to prepare at a time
  --scheduler ADDRESS  a Dask scheduler whose workers do it instead (see asteroid_karaoke.cluster)"
own_options="corpus_dir valid test decode jobs scheduler"
corpus_dir=
valid=0.1
test=0.1
decode=false
jobs=2
scheduler=

get_audio() {
  # Meant as seen from where this script was called.
  [[ -z $corpus_dir || $corpus_dir == /* ]] || corpus_dir=$called_from/$corpus_dir
  "$python_path" -m recipes.stems download --storage_dir "$storage_dir" \
    ${corpus_dir:+--corpus_dir "$corpus_dir"}
}
make_manifests() {
  local options=(--valid "$valid" --test "$test" --jobs "$jobs")
  [[ $decode == true ]] && options+=(--decode)
  [[ -n $scheduler ]] && options+=(--scheduler "$scheduler")
  "$python_path" -m recipes.stems prepare --storage_dir "$storage_dir" "${options[@]}"
}

. ../../common/recipe.sh
