#!/usr/bin/env bash
# The whole way in ten minutes on two cores, without network: synthetic songs, a small model, museval scores.
#
#   ./run.sh                          # stages 0 to 4
#   ./run.sh --stage 3 --tag mine     # train again, or go on with exp/train_KaraokeNet_mine
cd "$(dirname "$0")" || exit 1
recipe=demo/KaraokeNet
help_message="Make the demo corpus, train KaraokeNet on it, score it and publish it."

get_audio() { "$python_path" -m recipes.demo download --storage_dir "$storage_dir"; }
make_manifests() { "$python_path" -m recipes.demo prepare --storage_dir "$storage_dir"; }

. ../../common/recipe.sh
