#!/usr/bin/env bash
# What one band recorded: a model and its scores.
#
#   ./run.sh --corpus_dir ~/garage --tag first
cd "$(dirname "$0")" || exit 1
recipe=garage/KaraokeNet
help_message="Train KaraokeNet on the band's songs, score it and publish it.

Corpus:
  --corpus_dir DIR     folder of songs, such as DIR/<artist> - <title>/voice.flac
  --jobs N             songs to check at a time"
own_options="corpus_dir jobs"
corpus_dir=
jobs=2

get_audio() {
  # Meant as seen from where this script was called.
  [[ -z $corpus_dir || $corpus_dir == /* ]] || corpus_dir=$called_from/$corpus_dir
  "$python_path" -m recipes.garage download --storage_dir "$storage_dir" ${corpus_dir:+--corpus_dir "$corpus_dir"}
}
make_manifests() {
  "$python_path" -m recipes.garage prepare --storage_dir "$storage_dir" --jobs "$jobs"
}

. ../../common/recipe.sh
