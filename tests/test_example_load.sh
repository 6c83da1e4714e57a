#!/usr/bin/env bash
# test_example_load.sh EXAMPLE POSEMB SOURCE_DIR: the example loads the stage of a model's file; the
# first values of its sentence have the bits of the reference.
set -eu
example=$1
posemb=$2
source=$3
file=$source/data/all-MiniLM-L6-v2-excerpt.safetensors
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

fail()
{
    echo "FAILED: $*"
    cat shown
    exit 1
}

"$example" "$file" >shown 2>&1 || fail "the example"
"$posemb" encode --device reference --model-file "$file" --ids "$source/data/two-sentences.ids.npy" \
    --out out.npy >/dev/null
expected=$(od -A n -t x4 -j 128 -N 16 out.npy | tr -s ' ' | sed 's/^ //')
grep -qx "bits: $expected" shown || fail "the bits are not $expected"
grep -q '^model bert, token 0, id 23: ' shown || fail "the model or the first id"
[ "$(grep -c ' bytes$' shown)" -eq 5 ] || fail "progress is not told once for each tensor"
grep -qx 'beta  *442368 of 442368 bytes' shown || fail "the last call has not all bytes"

if "$example" /nowhere.safetensors >shown 2>&1; then
    fail "a file that is not there"
fi
grep -q 'POSEMB_INVALID_ARGUMENT: /nowhere.safetensors' shown || fail "no message"
echo "example_load: all well"
