#!/usr/bin/env bash
# test_view.sh BUILD_FOLDER SOURCE_FOLDER [CONVENTIONS]: posemb view as its users see it: pictures, what
# they say as numbers, messages. CONVENTIONS: only so many of them are drawn.
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$2" && pwd)
conventions=${3-100}
posemb=$build/posemb
make_inputs=$build/tests/make_inputs
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
. "$source/tests/command_checks.sh"
model=$source/data/all-MiniLM-L6-v2-excerpt.safetensors
learned=$model:embeddings.position_embeddings.weight

# draws ARGUMENT...: a picture, of the size that it says, and numbers that are JSON.
draws()
{
    rm -f out.png out.json
    run 0 view "$@" --out out.png --json out.json
    silent stderr
    says stdout out.png
    holds "$last: JSON" "$make_inputs" --json out.json
    holds "$last: PNG" test "$(head -c 8 out.png | od -An -t x1 | tr -d ' ')" = 89504e470d0a1a0a
    holds "$last: size" test "$(head -c 24 out.png | tail -c 8 | od -An -t u4 --endian=big |
        awk '{ print $1 " x " $2 }')" = "$(sed -nE '1s/.*, ([0-9]+ x [0-9]+)$/\1/p' stdout)"
    holds "$last: caption" test -n "$(sed -n 2p stdout)"
}

# refused TEXT ARGUMENT...: it fails with the text, and leaves what was there as it was.
refused()
{
    local text=$1
    shift
    rm -f out.json
    printf 'as it was' >out.png
    run 1 view "$@" --out out.png --json out.json
    says stderr "$text"
    holds "$last: changed the picture" test "$(cat out.png)" = "as it was"
    holds "$last: left numbers" test ! -e out.json
}

# number NAME: of out.json. numbers NAME: of a list in it, one a line.
number()
{
    sed -nE "s/^ \"$1\": ([-+.0-9e]+|true|false|null),?\$/\1/p" out.json
}

numbers()
{
    sed -n "/^ \"$1\": \[/,/^ \]/p" out.json | sed -nE 's/^  ([-+.0-9e]+|null),?$/\1/p'
}

# within NAME LOW HIGH: the number, or all of the list, is there and between them.
within()
{
    local found
    found=$(number "$1")
    [ -n "$found" ] || found=$(numbers "$1")
    holds "$last: $1 is $(tr '\n' ' ' <<<"$found" | head -c 200)" \
        awk -v low="$2" -v high="$3" '{ if ($1 == "null" || $1 + 0 < low + 0 || $1 + 0 > high + 0) bad = 1; n++ }
            END { exit bad || !n }' <<<"$found"
}

echo "-- both files or none"
run 2 view --json one.png --out ./one.png
says stderr "one file"
status=0
(trap '' XFSZ; ulimit -f 16; exec "$posemb" view --json full.json --out full.png) >stdout 2>stderr || status=$?
last="posemb view, ulimit -f 16"
holds "$last: exit status $status" test "$status" -eq 1
holds "$last: files" test -z "$(ls -A | grep -e full -e tmp)"

echo "-- every kind"
for kind in heat similarity curves error; do
    draws --kind "$kind"
    says stdout "$kind"
    cp out.png first.png
    draws --kind "$kind"
    holds "$last: the same picture again" cmp out.png first.png
done
draws
cp out.png reference.png
draws --kind heat --dim 128 --count 128 --start 0 --convention vaswani
holds "the defaults" cmp out.png reference.png
draws --device 0
holds "a device's picture is the reference's" cmp out.png reference.png
draws --convention t2t
lacks "a convention of its own" cmp out.png reference.png

echo "-- numbers: sinusoids of every convention"
draws --kind curves --dim 64
holds "$last: wavelengths" test "$(numbers wavelength_by_pair | wc -l)" -eq 32
within wavelength_by_pair 6.2831853 47120
for convention in $("$posemb" conventions | sed -nE 's/^([a-z0-9-]+) .*/\1/p' |
    head -n "$conventions"); do
    for dim in 16 65; do
        if [ "$dim" -eq 65 ] && ! "$posemb" table --convention "$convention" --dim 65 --count 1 \
            --device reference --out table.npy >stdout 2>stderr; then
            refused "dim is 65" --convention "$convention" --dim 65 --kind similarity
            continue
        fi
        draws --kind similarity --convention "$convention" --dim "$dim" --start 1000000
        within rotation_deviation 0 2e-7
        [ "$dim" -eq 65 ] || within spread 0 1e-6
    done
    draws --kind error --convention "$convention" --dim 16 --amplitude 1
    within error_of_posemb 0 8e-8
    "$posemb" table --convention "$convention" --dim 25 --start 3 --count 50 --device reference \
        --out table.npy >stdout 2>stderr ||
        run 0 table --convention "$convention" --dim 24 --start 3 --count 50 --device reference \
            --out table.npy
    draws --table table.npy
    says stdout "identify: "
    holds "$last: found" test "$(number identified)" = true
    within largest_difference 0 8e-8
    draws --kind error --table table.npy
    within error_by_row 0 8e-8
done
draws --kind error --count 2048 --dim 512
within error_of_float32 0 2e-4
holds "$last: the last of them" test "$(numbers position | tail -n 1)" = 2048.0
lacks "$last: floats are worse" awk '$1 > 5e-5 { bad = 1 } END { exit bad }' <(numbers error_of_float32)
draws --kind error --model whisper-encoder --dim 64
says stdout "1,000,000,000"
within error_of_posemb 0 8e-8
draws --kind error --count 1

echo "-- numbers: stored tables"
draws --table "$learned"
holds "$last: learned" test "$(number identified)" = false
within share_of_variance 0.2 0.7
draws --kind similarity --table "$learned"
within spread 0.1 1
draws --kind curves --table "$learned" --start 1 --count 40
within share_by_channel 0 1
holds "$last: rows" test "$(number rows)" = 40
holds "$last: dim" test "$(number dim)" = 384
refused "no formula" --kind error --table "$learned"
refused "no row 64" --table "$learned" --start 64

# put BYTES INDEX: an element of table.npy.
put()
{
    printf '%b' "$1" | dd of=table.npy bs=1 seek=$((128 + 4 * $2)) conv=notrunc status=none
}

run 0 table --dim 6 --count 20 --device reference --out table.npy
put '\x00\x00\xc0\x7f' $((6 * 5 + 2)) # NaN
put '\x00\x00\x80\xff' $((6 * 9 + 1)) # -infinity
for kind in heat similarity curves; do
    draws --kind "$kind" --table table.npy
    says stdout "2 values are no finite numbers, the first in row 5, channel 2"
    holds "$last: counted" test "$(number not_finite)" = 2
done

echo "-- sizes"
for size in "--dim 1" "--dim 2" "--dim 3 --count 1" "--count 1" "--start 4294967168" \
    "--start -2147483648 --kind similarity" "--amplitude 1e12 --frequency 1e-9" \
    "--dim 1 --kind similarity" "--count 1 --kind similarity" "--count 2 --dim 2 --kind similarity"; do
    # shellcheck disable=SC2086 # options and their values
    draws $size
done
draws --kind curves --dim 2 --count 1
draws --dim 2048 --count 1500
says stdout "A pixel is the mean of up to 3 positions and 3 channels"
draws --model mae --grid 14x14 --dim 64
for shape in 1 8; do # one value; zeros
    run 0 table --dim "$shape" --count "$shape" --device reference --start 0 --out table.npy
    [ "$shape" -eq 1 ] || for ((i = 0; i < 64; i++)); do put '\x00\x00\x00\x00' "$i"; done
    for kind in heat similarity curves; do
        draws --kind "$kind" --table table.npy
    done
done
refused "100000 positions of 4096 channels" --dim 4096 --count 100000
refused "4294967295 positions" --count 4294967295
refused "2100 positions" --kind similarity --count 2100
refused "more than" --grid 65535x65535x65535 --dim 6
refused "pair of channels" --kind curves --dim 1
refused "pair of channels" --kind error --dim 1
refused "--grid" --kind similarity --grid 4x4
refused "--grid" --kind curves --grid 4x4
refused "dim is 7" --convention xtransformers --dim 7
refused "start" --start 4294967295 --count 2

echo "-- options"
usage --out missing view
usage --kind '"pie"' view --kind pie --out out.png
usage '--table' sinusoids view --table table.npy --dim 8 --out out.png
usage '--table' sinusoids view --table table.npy --model nllb --out out.png
usage '--count' '"0"' view --count 0 --out out.png
usage '--model' none view --model none --out out.png
usage '"bert"' learned view --model bert --out out.png
usage --start error view --kind error --start 1 --out out.png
usage --grid heat view --kind error --grid 2x2 --out out.png
usage --count --grid view --count 3 --grid 2x2 --out out.png
usage --dim '"0"' view --dim 0 --out out.png
usage more more view more
run 0 view --help
says stdout --kind --table --json "The sinusoids"
refused "absent.npy" --table absent.npy
refused "tensor" --table "$model:absent"
run 1 view --json none/out.json --out out.png
says stderr none/out.json
run 1 view --out none/out.png
says stderr none/out.png
run 1 view --device 99 --out out.png
says stderr 99

echo "-- without a font"
printf '<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig></fontconfig>\n' \
    >empty.conf
export FONTCONFIG_FILE=$folder/empty.conf
refused "no font" --kind curves

holds "no temporary files are left" test -z "$(find . -name '.posemb-*')"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
