#!/usr/bin/env bash
# test_experiment.sh BUILD_FOLDER SOURCE_FOLDER [SEEDS]: posemb experiment as its users see it, in trials of few steps:
# tables, JSON, pictures, messages; and the same numbers from every device and any number of threads.
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$2" && pwd)
seeds=${3-2}
posemb=$build/posemb
make_inputs=$build/tests/make_inputs
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
. "$source/tests/command_checks.sh"

has_pictures=yes
"$posemb" view 2>&1 | grep -q "built without pictures" && has_pictures=

few=(experiment --steps 20 --seeds "$seeds")

# digest: of the last run.
digest()
{
    sed -nE 's/.* Digest of all parameters: ([0-9a-f]{16})$/\1/p' stdout
}

echo "-- options"
usage --task nobody "${few[@]}" --task nobody
for bad in 0 101 -1 x 1.5 ""; do
    usage --seeds "$bad" experiment --seeds "$bad"
done
for bad in 19 2001 x; do
    usage --steps "$bad" experiment --steps "$bad"
done
for bad in 0 65 x; do
    usage --threads "$bad" experiment --threads "$bad"
done

for bad in 0 -1 x 1e30; do
    usage --base "$bad" experiment --base "$bad"
done
run 2 experiment --json one --out ./one
says stderr "one file"
run 0 experiment --help
says stdout "default 800 of who, 300 of distance, 300 of length" "default 5" "default 10000"

echo "-- nothing is done where a file could not be written"
mkdir folder
for option in --json --out; do
    [ $option = --json ] || [ "$has_pictures" ] || continue
    run 1 "${few[@]}" --device reference "$option" folder
    says stderr folder
    silent stdout
    run 1 "${few[@]}" --device reference "$option" nowhere/file
    says stderr nowhere
    silent stdout
done
if [ ! "$has_pictures" ]; then
    run 1 "${few[@]}" --device reference --out out.png
    says stderr "built without pictures"
    silent stdout
fi
run 1 "${few[@]}" --device 99
says stderr 99

echo "-- one task, on the reference"
run 0 "${few[@]}" --task who --device reference --threads 1 --json one.json
says stdout "the CPU reference, 1 thread," "Who chases whom?" "best guess without order" \
    "learned from sinusoidal" "of $seeds seed" " . who"
says stderr "$((4 * seeds)) of $((4 * seeds)) trials"
holds "$last: one task" test "$(grep -c 'which token stood' stdout)" -eq 0
holds "$last: JSON" "$make_inputs" --json one.json
holds "$last: four kinds of positions" test "$(grep -o '"positions":"' one.json | wc -l)" -eq 4
holds "$last: trials" test "$(grep -o '"seed":' one.json | wc -l)" -eq $((4 * seeds))
expected=$(digest)
holds "$last: a digest" test -n "$expected"
holds "$last: the digest in JSON" grep -q "\"digest\":\"$expected\"" one.json
# The parts of the JSON that are not of the run are the same from everywhere.
sed -E 's/"run":\{[^}]*\}//' one.json >expected.json

echo "-- the same on a device, and on three threads"
run 0 "${few[@]}" --task who --threads 3 --json two.json
holds "$last: digest $(digest), not $expected" test "$(digest)" = "$expected"
sed -E 's/"run":\{[^}]*\}//' two.json >got.json
holds "$last: the same numbers" cmp got.json expected.json
lacks "$last: another device" grep -q "the CPU reference" two.json
run 0 experiment --steps 20 --seeds "$seeds" --base 100 --task who --device reference
holds "$last: digest of other trials" test "$(digest)" != "$expected"

if [ "$has_pictures" ]; then
    echo "-- where the picture is too large for the disk there is no JSON either"
    status=0
    (trap '' XFSZ; ulimit -f 16; exec "$posemb" experiment --steps 20 --seeds 1 --task who --device reference \
        --json full.json --out full.png) >stdout 2>stderr || status=$?
    last="posemb experiment, ulimit -f 16"
    holds "$last: exit status $status" test "$status" -eq 1
    says stderr full.png
    holds "$last: files" test -z "$(ls -A | grep -e full -e tmp)"

    echo "-- pictures"
    for task in "--task distance" ""; do
        rm -f out.png
        # shellcheck disable=SC2086 # words
        run 0 experiment --steps 20 --seeds 1 --device reference $task --out out.png
        holds "$last: PNG" test "$(head -c 8 out.png | od -An -t x1 | tr -d ' ')" = 89504e470d0a1a0a
    done
    says stdout "of 1 seed." "3 before, in longer sequences?" "Which token stood 4 places before?" "never"
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
