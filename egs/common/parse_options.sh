# Read `--name value` options into shell variables; to be sourced with "$@" after the defaults are set.
#
# A variable that is set becomes an option: `stage=0` makes `--stage 3`. One that is `true` or `false` takes only
# these. What is no variable here goes to the array `train_options`, untouched, for train.py to judge.
# `--help` prints $help_message.

train_options=()
while [[ $# -gt 0 ]]; do
  case "$1" in
    --help | -h)
      printf '%s\n' "${help_message:-No help found.}"
      exit 0
      ;;
    --*=*)
      echo "$0: got $1, expected --name value: write '${1%%=*} ${1#*=}'" >&2
      exit 1
      ;;
    --*)
      name=${1#--}
      name=${name//-/_}
      if [[ $# -lt 2 ]]; then
        echo "$0: option $1 has no value, expected --name value" >&2
        exit 1
      fi
      if [[ ! $name =~ ^[a-zA-Z_][a-zA-Z0-9_]*$ ]]; then
        echo "$0: invalid option $1" >&2
        exit 1
      elif [[ " $option_names " != *" $name "* ]]; then
        train_options+=("--$name" "$2")
      elif [[ ${!name} =~ ^(true|false)$ && ! $2 =~ ^(true|false)$ ]]; then
        echo "$0: option $1 is '$2', expected true or false" >&2
        exit 1
      else
        printf -v "$name" '%s' "$2"
      fi
      shift 2
      ;;
    *)
      echo "$0: stray word '$1', expected --name value" >&2
      exit 1
      ;;
  esac
done
