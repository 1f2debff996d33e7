# The stages that all recipes share; sourced by each run.sh, which has defined
#   get_audio        stage 0: leave the audio under $storage_dir
#   make_manifests   stage 1: write $storage_dir/{train,valid,test}.jsonl and licenses.json
# and `recipe`, such as demo/KaraokeNet. Its own options are set before this file is sourced.
#
#   0 audio · 1 manifests · 2 pre-train on voice and noise (--pretrain true) · 3 train · 4 separate, score, publish
#
# A finished stage leaves a mark and is not repeated with the same options; a broken one goes on where it stopped.

set -euo pipefail
# Paths are meant as seen from where run.sh was called, which has gone to its own folder since.
called_from=${OLDPWD:-$PWD}
own_options=${own_options:-}
stage=0
stop_stage=4
tag=
id=
python_path=python
storage_dir=data
pretrain=false
resume=true
option_names="stage stop_stage tag id python_path storage_dir pretrain resume $own_options"
help_message=${help_message:-}"
Options (all as --name value):
  --stage N          first stage to run (0 audio, 1 manifests, 2 pre-train, 3 train, 4 separate, score, publish)
  --stop_stage M     last stage to run
  --tag NAME         name of the experiment: exp/train_KaraokeNet_NAME; the same name again goes on with it
  --id N             CUDA device; none: all there are, or the CPU
  --python_path P    the Python to use
  --storage_dir DIR  where audio and manifests are
  --pretrain true    pre-train on voice and noise first
  --resume false     do not go on with an experiment of this tag that was broken off: refuse
All other options go to train.py and stand in local/conf.yml, such as --epochs 10."
. ../../common/parse_options.sh

for name in stage stop_stage; do
  if [[ ! ${!name} =~ ^[0-4]$ ]]; then
    echo "$0: option --$name is '${!name}', expected 0 to 4 (--help says what they do)" >&2
    exit 1
  fi
done
if ((stage > stop_stage)); then
  echo "$0: --stage $stage comes after --stop_stage $stop_stage: nothing is left to do" >&2
  exit 1
fi
for ((n = 0; n < ${#train_options[@]}; n += 2)); do
  file=$called_from/${train_options[n + 1]}
  [[ ${train_options[n]} == --init && -f $file ]] && train_options[n + 1]=$file
done
if ! "$python_path" -c 'from importlib.util import find_spec; raise SystemExit(not find_spec("asteroid"))' 2>/dev/null; then
  echo "$0: $python_path has no asteroid: activate the environment of the package, or give --python_path" >&2
  exit 1
fi
root=$(cd ../../.. && pwd)
export PYTHONPATH=$root${PYTHONPATH:+:$PYTHONPATH}
[[ -n $id ]] && export CUDA_VISIBLE_DEVICES=$id
# glibc gives large blocks back to the system at once and asks for them again: kept, a step is twice as fast.
export MALLOC_MMAP_THRESHOLD_=${MALLOC_MMAP_THRESHOLD_:-1073741824}
export MALLOC_TRIM_THRESHOLD_=${MALLOC_TRIM_THRESHOLD_:-4294967296}
export MALLOC_TOP_PAD_=${MALLOC_TOP_PAD_:-268435456}

# run_stage N MARK OPTIONS COMMAND…: run the command unless it is done, or not asked for.
run_stage() {
  local number=$1 mark=$2 options=$3
  shift 3
  [[ $stage -le $number && $stop_stage -ge $number ]] || return 0
  if [[ -f $mark && $(<"$mark") == "$options" ]]; then
    echo "Stage $number is done ($mark)"
    return 0
  fi
  echo "Stage $number: $*"
  "$@"
  printf '%s\n' "$options" >"$mark"
}

# What a recipe's own options said, files by their content: other data is other work.
data_options=$recipe
for name in $own_options; do
  value=${!name}
  for file in "$value" "$called_from/$value"; do
    [[ -f $file ]] && value=$(cksum <"$file")
  done
  data_options+=" --$name $value"
done

mkdir -p "$storage_dir"
run_stage 0 "$storage_dir/.stage0.completed" "$data_options" get_audio
run_stage 1 "$storage_dir/.stage1.completed" "$data_options" make_manifests
[[ $stop_stage -ge 2 ]] || exit 0

uuid=$("$python_path" -c 'import uuid; print(str(uuid.uuid4())[:8])')
if [[ -z $tag && $stage -gt 3 ]]; then
  echo "$0: stage $stage needs an experiment: --tag NAME, one of: $(ls exp 2>/dev/null | sed 's/^train_KaraokeNet_//' | xargs)" >&2
  exit 1
fi
if [[ ! -f $storage_dir/train.jsonl || ! -f $storage_dir/valid.jsonl ]]; then
  echo "$0: no train.jsonl and valid.jsonl in $storage_dir: run stages 0 and 1, or give --storage_dir" >&2
  exit 1
fi
tag=${tag:-$uuid}
exp_dir=exp/train_KaraokeNet_$tag
mkdir -p "$exp_dir"
echo "$uuid" >>"$exp_dir/run_uuid.txt"
echo "Experiment $exp_dir; if it breaks off, go on with: $0 --stage 2 --tag $tag"

go_on=()
[[ $resume == true ]] && go_on=(--resume)
run_train() { # FOLDER OPTIONS…
  mkdir -p "$1"
  # By the environment, so that processes that Lightning starts for other devices are quiet too.
  PYTHONWARNINGS=ignore "$python_path" ../../common/train.py --exp_dir "$1" --data_dir "$storage_dir" \
    "${go_on[@]}" "${@:2}" 2>&1 | tee -a "$1/train.log"
}
run_eval() {
  "$python_path" -W ignore ../../common/eval.py --exp_dir "$exp_dir" --data_dir "$storage_dir" --recipe "$recipe" 2>&1 |
    tee "$exp_dir/eval.log"
}

data=$(cat "$storage_dir"/{train,valid}.jsonl | cksum)
if [[ -f $exp_dir/.data && $(<"$exp_dir/.data") != "$data" ]]; then
  echo "$0: experiment $tag was begun with other data than $storage_dir now holds: give another --tag" >&2
  exit 1
fi
echo "$data" >"$exp_dir/.data"
# An experiment that has begun, for which train.py has taken its options, goes on with them: the first line is
# --pretrain, the others are train.py's, and those given now come on top.
if [[ -f $exp_dir/conf.yml || -f $exp_dir/pretrain/conf.yml ]]; then
  mapfile -t begun <"$exp_dir/.options"
  [[ ${begun[0]} == true ]] && pretrain=true
  # Of an option that is there twice, train.py takes the last.
  [[ ${train_options[*]} == "${begun[*]:1}" ]] || train_options=("${begun[@]:1}" "${train_options[@]}")
else
  printf '%s\n' "$pretrain" "${train_options[@]}" >"$exp_dir/.options"
fi
options="--pretrain $pretrain ${train_options[*]}"

init=()
if [[ $pretrain == true ]]; then
  run_stage 2 "$exp_dir/.stage2.completed" "$options" \
    run_train "$exp_dir/pretrain" --phase pretrain "${train_options[@]}"
  init=(--init "$exp_dir/pretrain/best_model.pth")
fi
run_stage 3 "$exp_dir/.stage3.completed" "$options" run_train "$exp_dir" "${init[@]}" "${train_options[@]}"
run_stage 4 "$exp_dir/.stage4.completed" "$options" run_eval
if [[ $stop_stage -ge 4 ]]; then
  printf '\n%s\n' "$(<"$exp_dir/table.md")"
fi
