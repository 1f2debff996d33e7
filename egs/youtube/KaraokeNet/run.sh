#!/usr/bin/env bash
# Any voice over any music: the tracks that two lists name, mixed at random to train on, and in fixed
# mixes of held-out tracks to validate and score. For private research: see README.md.
#
#   ./run.sh --vocals_csv vocals.csv --music_csv music.csv --tag mine
#   ./run.sh --stage 3 --tag mine     # train again, or go on with exp/train_KaraokeNet_mine
cd "$(dirname "$0")" || exit 1
recipe=youtube/KaraokeNet
help_message="Fetch the tracks of two lists, train KaraokeNet on mixes of them, score and publish it.

Lists and fetching (the lists' format: recipes/youtube_lists.py; empty ones: recipes/lists/):
  --vocals_csv FILE  list of voices without music
  --music_csv FILE   list of music without voice
  --pause SECONDS    least time between two tracks; shorter ones make YouTube refuse
  --cookies FILE     a browser's cookies in Netscape's format, for what asks for an account
  --valid SHARE      share of the videos to validate on
  --test SHARE       share of the videos to test on
  --jobs N           tracks to decode at a time
  --scheduler ADDRESS  a Dask scheduler whose workers do it instead (see asteroid_karaoke.cluster)"
own_options="vocals_csv music_csv pause cookies valid test jobs scheduler"
vocals_csv=
music_csv=
pause=
cookies=
valid=
test=
jobs=
scheduler=

# The files' names are meant as seen from where this script was called.
lists() {
  local name
  for name in vocals_csv music_csv cookies; do
    [[ -z ${!name} || ${!name} == /* ]] || printf -v "$name" '%s' "$called_from/${!name}"
  done
  options=(--storage_dir "$storage_dir" --vocals_csv "$vocals_csv" --music_csv "$music_csv")
}
get_audio() {
  lists
  "$python_path" -m recipes.youtube download "${options[@]}" \
    ${pause:+--pause "$pause"} ${cookies:+--cookies "$cookies"}
}
make_manifests() {
  lists
  "$python_path" -m recipes.youtube prepare "${options[@]}" \
    ${valid:+--valid "$valid"} ${test:+--test "$test"} ${jobs:+--jobs "$jobs"} \
    ${scheduler:+--scheduler "$scheduler"}
}

. ../../common/recipe.sh
