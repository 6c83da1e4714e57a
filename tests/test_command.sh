#!/usr/bin/env bash
# test_command.sh BUILD_FOLDER SOURCE_FOLDER: the posemb command as its users see it: exit statuses,
# messages, files.
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$2" && pwd)
posemb=$build/posemb
make_inputs=$build/tests/make_inputs
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
. "$source/tests/command_checks.sh"

encode()
{
    local status=$1
    shift
    run "$status" encode "$@"
}

# fails ARGUMENT...: posemb fails and leaves no out.npy, and an out.npy that was there as it was.
fails()
{
    rm -f out.npy
    run 1 "$@" --out out.npy
    holds "$last: left a file" test ! -e out.npy
    printf 'as it was' >out.npy
    printf 'as it was' >before
    run 1 "$@" --out out.npy
    holds "$last: changed the file" cmp out.npy before
    rm -f out.npy
}

# shaped FILE SHAPE ELEMENTS: a float32 .npy file of that shape, and its size.
shaped()
{
    holds "$last: shape $2" grep -qaF "{'descr': '<f4', 'fortran_order': False, 'shape': $2, }" "$1"
    holds "$last: size of $2" test "$(wc -c <"$1")" -eq $((128 + 4 * $3))
}

# same_bits ARGUMENT...: the device writes out.npy, the reference the same bytes.
same_bits()
{
    rm -f out.npy reference.npy
    run 0 "$@" --out out.npy
    says stdout out.npy
    run 0 "$@" --device reference --out reference.npy
    says stdout "computed on the CPU reference"
    holds "$last: device and reference" cmp out.npy reference.npy
}

# row FILE D T: the bytes of row T.
row()
{
    tail -c +$((129 + 4 * $2 * $3)) "$1" | head -c $((4 * $2))
}

# near FILE INDEX VALUE: the element is within 1e-7 of the value.
near()
{
    local got
    got=$(tail -c +$((129 + 4 * $2)) "$1" | head -c 4 | od -An -t f4)
    holds "$last: element $2 is $got, not $3" \
        awk -v a="$got" -v b="$3" 'BEGIN { d = a - b; exit !(d <= 1e-7 && d >= -1e-7) }'
}

"$make_inputs" .
ids=(--ids ids32_2x3.npy)
tokens=(--tokens tokens.npy)
both=("${ids[@]}" "${tokens[@]}")

echo "-- help and usage"
run 0 --help
silent stderr
commands=$(awk '/^Commands:/ { on = 1; next } on && NF == 0 { exit } on { print $1 }' stdout)
holds "posemb --help lists fourteen commands" test "$(wc -w <<<"$commands")" -eq 14
for command in $commands; do
    if [ "$command" = view ] && "$posemb" view 2>&1 | grep -q "built without pictures"; then
        continue
    fi
    for help in --help -h; do
        run 0 "$command" "$help"
        says stdout "usage: posemb $command"
        silent stderr
    done
    usage --nonsense "$command" "$command" --nonsense
    case $command in
    sentences | identify | report) ;;
    *) usage "is not an option" stray "$command" stray ;;
    esac
done
run 0 help
run 0 --version
says stdout "posemb $(sed -n 's/#define POSEMB_VERSION_STRING "\(.*\)"/\1/p' "$source/include/posemb/posemb.h")"
run 2
says stderr "usage: posemb"
silent stdout
usage "no command" frobnicate frobnicate
if [ -w /dev/full ]; then
    status=0
    "$posemb" conventions >/dev/full 2>stderr || status=$?
    last="posemb conventions >/dev/full"
    holds "$last: exit status $status" test "$status" -eq 1
    says stderr "standard output"
fi

echo "-- values of options"
complete=(encode "${both[@]}" --out out.npy)
usage --ids missing encode "${tokens[@]}" --out out.npy
usage --tokens missing encode "${ids[@]}" --out out.npy
usage --out missing encode "${both[@]}"
usage --ids argument encode --ids
usage convention sinus "${complete[@]}" --convention sinus
for value in 0 0.0 -0 nan inf -inf 1e-46 1e39 "" four 4x; do
    usage --scale "\"$value\"" "${complete[@]}" --scale "$value"
done
for value in 0 -1 nan inf 0x1.fffffffffffffp-33 4294967297 "" 10k; do
    usage --base "\"$value\"" "${complete[@]}" --base "$value"
done
for value in 4294967296 -2147483649 99999999999999999999 1.5 "" 0x10 nan; do
    usage --start "\"$value\"" "${complete[@]}" --start "$value"
done
usage --start --positions "${complete[@]}" --start 0 --positions positions_3.npy
holds "usage errors leave no file" test ! -e out.npy

echo "-- encode"
same_bits encode "${both[@]}"
shaped out.npy "(2, 3, 16)" 96
cp out.npy plain.npy
same_bits encode --ids ids64_2x3.npy "${tokens[@]}"
holds "int32 and int64 ids" cmp out.npy plain.npy
same_bits encode --ids ids32.npy "${tokens[@]}"
shaped out.npy "(6, 16)" 96
cp out.npy flat.npy
same_bits encode --ids ids64.npy "${tokens[@]}"
holds "int32 and int64 ids of one row" cmp out.npy flat.npy
row flat.npy 16 2 >left
row plain.npy 16 2 >right
holds "the first rows of both shapes" cmp left right
row flat.npy 16 3 >left
row plain.npy 16 3 >right
lacks "positions begin anew in each batch row" cmp left right
same_bits encode "${ids[@]}" --tokens tokens_odd.npy
shaped out.npy "(2, 3, 7)" 42
encode 0 "${ids[@]}" --tokens tokens_zero.npy --out zero.npy --start 1
run 0 table --dim 16 --start 1 --count 3 --out table.npy
for t in 0 1 2 3 4 5; do
    row zero.npy 16 "$t" >left
    row table.npy 16 $((t % 3)) >right
    holds "encoding rows of zeros is the table, token $t" cmp left right
done

encode 0 "${ids[@]}" --tokens one.safetensors --out out.npy
holds "the only matrix of a safetensors file" cmp out.npy plain.npy
encode 0 "${ids[@]}" --tokens one.safetensors:table --out out.npy
holds "a tensor by name" cmp out.npy plain.npy
encode 0 "${ids[@]}" --tokens two.safetensors:first.weight --out out.npy
holds "the first tensor of two" cmp out.npy plain.npy
encode 0 "${ids[@]}" --tokens tokens_second.npy --out second.npy
encode 0 "${ids[@]}" --tokens two.safetensors:second.weight --out out.npy
holds "the second tensor of two" cmp out.npy second.npy
fails encode "${ids[@]}" --tokens two.safetensors
says stderr first.weight second.weight
fails encode "${ids[@]}" --tokens two.safetensors:third.weight
says stderr third.weight
fails encode "${ids[@]}" --tokens one.safetensors:bias
says stderr bias
for file in tokens_flat.npy tokens_int.npy absent.npy absent.safetensors ids_float.npy; do
    fails encode "${ids[@]}" --tokens "$file"
    says stderr "$file"
done
for file in ids_float.npy ids_cube.npy absent.npy one.safetensors; do
    fails encode --ids "$file" "${tokens[@]}"
    says stderr "$file"
done

same_bits encode "${both[@]}" --scale sqrt
cp out.npy sqrt.npy
encode 0 "${both[@]}" --scale 4 --out out.npy
holds "sqrt of 16 is 4" cmp out.npy sqrt.npy
lacks "a scale of 4 is none of 1" cmp out.npy plain.npy
encode 0 "${both[@]}" --scale 1 --out out.npy
holds "the default scale is 1" cmp out.npy plain.npy
same_bits encode "${ids[@]}" --tokens tokens_odd.npy --scale sqrt
for value in 1e-45 -0.3 3e38; do
    same_bits encode "${both[@]}" --scale "$value"
done
for value in 0x1p-32 2.3283064365386963e-10 4294967296 1; do
    same_bits encode "${both[@]}" --base "$value"
done
encode 0 "${both[@]}" --base 10000 --out out.npy
holds "the default base is 10000" cmp out.npy plain.npy

echo "-- positions"
same_bits encode "${both[@]}" --start 5
cp out.npy from5.npy
lacks "--start moves" cmp out.npy plain.npy
encode 0 "${both[@]}" --positions positions_3.npy --out out.npy
holds "positions [S] from 0" cmp out.npy plain.npy
for file in positions_from5_3.npy positions_from5_6.npy positions_from5_2x3.npy; do
    same_bits encode "${both[@]}" --positions "$file"
    holds "$file is --start 5" cmp out.npy from5.npy
done
same_bits encode "${both[@]}" --positions positions_mixed_2x3.npy
cp out.npy mixed.npy
encode 0 "${both[@]}" --positions positions_mixed_6.npy --out out.npy
holds "positions [T] and [B, S]" cmp out.npy mixed.npy
same_bits encode "${both[@]}" --start -2147483648
same_bits encode "${both[@]}" --start 4294967293
fails encode "${both[@]}" --start 4294967294
says stderr 4294967294
for file in positions_4.npy positions_3x2.npy ids_cube.npy ids_float.npy absent.npy; do
    fails encode "${both[@]}" --positions "$file"
    says stderr "$file"
done

for file in positions_3.npy positions_float_3.npy; do
    same_bits encode "${both[@]}" --positions "$file"
    holds "$file is the index" cmp out.npy plain.npy
done
same_bits encode "${both[@]}" --positions positions_fractions_3.npy --convention dit
same_bits table --dim 7 --positions positions_fractions_3.npy --convention ddpm
fails encode "${both[@]}" --positions positions_beyond_3.npy
says stderr "token 2" "position 4.29497e+09"

echo "-- rules and pads"
flat=(--ids ids32.npy "${tokens[@]}")
same_bits encode "${flat[@]}" --cu-seqlens cu_seqlens.npy
cp out.npy ragged.npy
encode 0 "${flat[@]}" --positions positions_restarting_6.npy --out out.npy
holds "cu_seqlens restart the positions" cmp out.npy ragged.npy
fails encode "${flat[@]}" --cu-seqlens cu_seqlens_decreasing.npy
says stderr "token 1 " "out of order or range"
same_bits encode "${both[@]}" --rule count --pad-id 3 --pads zero-position
cp out.npy counted.npy
same_bits encode "${both[@]}" --rule count --mask mask_2x3.npy --pads zero-position
holds "a mask is as good as a pad id" cmp out.npy counted.npy
same_bits encode "${both[@]}" --rule count-before --left-pads left_pads.npy --positions-out used.npy
cp out.npy left.npy
holds "the positions used are written" cmp used.npy positions_left_2x3.npy
encode 0 "${both[@]}" --rule count-before --lengths lengths.npy --out out.npy
holds "lengths are as good as pads" cmp out.npy left.npy
encode 0 "${both[@]}" --positions positions_left_2x3.npy --out out.npy
holds "left pads shift the positions" cmp out.npy left.npy
fails encode "${both[@]}" --rule count --left-pads left_pads_too_many.npy
says stderr "token 3 (row 1, column 0)"
same_bits encode "${both[@]}" --pad-id 3 --pads zero-row
holds "a pad's row is zeros" cmp <(row out.npy 16 0) <(head -c 64 /dev/zero)
fails encode "${both[@]}" --mask left_pads.npy
says stderr left_pads.npy
fails encode "${both[@]}" --rule count
says stderr "padding is none"
usage --rule nonsense encode "${both[@]}" --rule nonsense
usage --pads nonsense encode "${both[@]}" --pads nonsense
usage --past -1 encode "${both[@]}" --past -1
run 2 encode "${both[@]}" --pad-id 3 --mask mask_2x3.npy --out out.npy
says stderr "exclude each other"

echo "-- models and knobs"
encode 0 "${both[@]}" --model nllb --out out.npy
cp out.npy nllb.npy
same_bits encode "${both[@]}" --model m2m100
holds "nllb is m2m100" cmp out.npy nllb.npy
encode 0 "${both[@]}" --convention t2t --rule count --pad-id 1 --start 1 --pads zero-position \
    --scale sqrt --out out.npy
holds "nllb by its parts" cmp out.npy nllb.npy
encode 0 "${both[@]}" --model marian --out out.npy
cp out.npy marian.npy
encode 0 "${both[@]}" --convention marian-hf --scale sqrt --out out.npy
holds "marian by its parts" cmp out.npy marian.npy
encode 0 "${both[@]}" --model marian --scale 1 --base 100 --out out.npy
lacks "options go before the model" cmp out.npy marian.npy
fails encode "${both[@]}" --model transformer --convention detr --tokens tokens_odd.npy
usage model nonsense encode "${both[@]}" --model nonsense
usage model bert encode "${both[@]}" --model bert
usage model bert table --dim 4 --count 2 --model bert
same_bits table --model mae --dim 16 --grid 3x4
shaped out.npy "(12, 16)" 192
cp out.npy mae.npy
run 0 table --convention marian-hf --dim 16 --grid 3x4:xy --out out.npy
holds "mae has x first" cmp out.npy mae.npy
run 0 table --convention marian-hf --dim 16 --grid 3x4 --out out.npy
lacks "which is not y first" cmp out.npy mae.npy
same_bits table --dim 9 --count 5 --amplitude -0.3 --frequency 6.283185307179586 --position-scale 0.001 \
    --layout halves --first cosine --odd second --denominator floor --shift 0.5
usage --grid 3 table --dim 8 --grid 3
usage --grid 3x4:xz table --dim 8 --grid 3x4:xz
usage --amplitude 0 table --dim 8 --count 2 --amplitude 0
usage --layout diagonal table --dim 8 --count 2 --layout diagonal
fails table --convention mlx --dim 7 --count 2
says stderr "dim is 7"

echo "-- bad ids and positions"
bad=(--ids ids_bad_2x4.npy "${tokens[@]}")
for device in "" reference; do
    export POSEMB_DEVICE=$device
    fails encode "${bad[@]}"
    says stderr "token 5 (row 1, column 1)" "id 10;" "10 rows" "2 bad ids"
    fails encode --ids ids_wide_2x3.npy "${tokens[@]}"
    says stderr "token 4" "id 4294967299;"
    fails encode "${both[@]}" --positions positions_above_3.npy
    says stderr "token 1 (row 0, column 1)" "position 4294967296," "2 bad positions"
    fails encode "${both[@]}" --positions positions_below_2x3.npy
    says stderr "token 4 (row 1, column 1)" "position -2147483649," "1 bad positions"
done
unset POSEMB_DEVICE
same_bits encode "${bad[@]}" --allow-bad-ids
says stderr "token 5" "id 10;" zeros
shaped out.npy "(2, 4, 16)" 128
head -c 64 /dev/zero >zeros
for t in 5 7; do
    row out.npy 16 "$t" >left
    holds "token $t is a row of zeros" cmp left zeros
done
row out.npy 16 2 >left
row plain.npy 16 2 >right
holds "a good token beside bad ones" cmp left right
same_bits encode "${both[@]}" --positions positions_below_2x3.npy --allow-bad-ids
says stderr "position -2147483649," zeros
row out.npy 16 4 >left
holds "a bad position is a row of zeros" cmp left zeros
encode 0 "${both[@]}" --allow-bad-ids --out out.npy
silent stderr
holds "--allow-bad-ids changes nothing else" cmp out.npy plain.npy

echo "-- the whole stage, by its parts"
# sized FILE TYPE SHAPE BYTES: the header, and the bytes of the data.
sized()
{
    holds "$last: type $2, shape $3" \
        grep -qaF "{'descr': '$2', 'fortran_order': False, 'shape': $3, }" "$1"
    holds "$last: size of $3" test "$(wc -c <"$1")" -eq $((128 + $4))
}
learned=("${both[@]}" --positions-table positions_table.npy)
typed=("${learned[@]}" --types-table types_table.npy)
rows=(--gamma gamma.npy --beta beta.npy)
same_bits encode "${learned[@]}"
shaped out.npy "(2, 3, 16)" 96
cp out.npy learned.npy
lacks "learned positions are no sinusoids" cmp out.npy plain.npy
encode 0 "${learned[@]}" --model bert --out out.npy
holds "bert is a learned table by index" cmp out.npy learned.npy
encode 0 "${learned[@]}" --positions positions_3.npy --out out.npy
holds "learned positions that are given" cmp out.npy learned.npy
encode 0 "${learned[@]}" --start 2 --positions-out used.npy --out out.npy
encode 0 "${learned[@]}" --model opt --out opt.npy
holds "opt without a mask counts all from 2" cmp out.npy opt.npy
same_bits encode "${learned[@]}" --model opt --mask mask_2x3.npy
cp out.npy masked.npy
for file in mask_bool_2x3.npy mask_byte_2x3.npy; do
    same_bits encode "${learned[@]}" --model opt --mask "$file"
    holds "$file is as good as integers" cmp out.npy masked.npy
done
same_bits encode "${learned[@]}" --model roberta --pad-id 3
holds "roberta with pad id 3 is that mask" cmp out.npy masked.npy
fails encode "${learned[@]}" --start 6
says stderr "token 2 (row 0, column 2)" "position 8;" "8 rows" "2 bad positions"
fails encode "${learned[@]}" --positions positions_mixed_2x3.npy
says stderr "token 1 " "position -3;" "8 rows"
same_bits encode "${typed[@]}"
cp out.npy typed.npy
encode 0 "${typed[@]}" --types types_2x3.npy --out out.npy
lacks "types count" cmp out.npy typed.npy
cp out.npy types.npy
same_bits encode "${typed[@]}" --types types64_2x3.npy
holds "int32 and int64 types" cmp out.npy types.npy
same_bits encode "${typed[@]}" --types types_2.npy
cp out.npy of-rows.npy
encode 0 "${typed[@]}" --types types_of_row_1_2x3.npy --out out.npy
holds "types of whole rows" cmp out.npy of-rows.npy
fails encode "${typed[@]}" --types types_bad_2x3.npy
says stderr "token 4 (row 1, column 1)" "type 3;" "3 rows" "2 bad types"
for file in ids32.npy positions_3.npy ids_float.npy absent.npy; do
    fails encode "${typed[@]}" --types "$file"
    says stderr "$file"
done
same_bits encode "${typed[@]}" --types types_2x3.npy --norm layer "${rows[@]}" --epsilon 1e-12
cp out.npy stage.npy
same_bits encode "${typed[@]}" --types types_2x3.npy --norm layer "${rows[@]}" --epsilon 1e-12 \
    --sum-out sum.npy
holds "--sum-out changes nothing" cmp out.npy stage.npy
holds "--sum-out is the sum" cmp sum.npy types.npy
encode 0 "${typed[@]}" --types types_2x3.npy --norm layer "${rows[@]}" --epsilon 0.5 --out out.npy
lacks "epsilon counts" cmp out.npy stage.npy
same_bits encode "${both[@]}" --norm layer
same_bits encode "${both[@]}" --norm rms --gamma gamma.npy --gamma-one-plus
cp out.npy plus.npy
encode 0 "${both[@]}" --norm rms --gamma gamma.npy --out out.npy
lacks "1 + gamma is not gamma" cmp out.npy plus.npy
encode 0 "${both[@]}" --norm none --out out.npy
holds "no norm" cmp out.npy plain.npy
encode 0 "${both[@]}" --model none --out out.npy
lacks "no positions" cmp out.npy plain.npy

same_bits encode "${typed[@]}" --out-type f16
sized out.npy '<f2' "(2, 3, 16)" 192
same_bits encode "${typed[@]}" --norm layer "${rows[@]}" --out-type bf16 --sum-out sum.npy
sized out.npy '<V2' "(2, 3, 16)" 192
sized sum.npy '<V2' "(2, 3, 16)" 192
says stdout "bfloat16 [2, 3, 16]"
half=("${ids[@]}" --tokens words_half.npy --positions-table positions_brain.npy)
same_bits encode "${half[@]}" --norm rms --gamma row_half.npy --beta row_half.npy
same_bits encode "${half[@]}" --types-table types_table.npy --out-type f16
cp out.npy once.npy
same_bits encode "${half[@]}" --types-table types_table.npy --out-type f16 --round-steps
lacks "rounding each step is not rounding once" cmp out.npy once.npy
bytes=("${ids[@]}" --tokens words_byte.npy)
same_bits encode "${bytes[@]}" --scales scales.npy
cp out.npy bytes.npy
encode 0 "${ids[@]}" --tokens mixed.safetensors:wte.weight --out out.npy
holds "scales beside a tensor" cmp out.npy bytes.npy
same_bits encode "${bytes[@]}" --scales scale.npy
lacks "one scale is not one for each row" cmp out.npy bytes.npy
fails encode "${bytes[@]}"
says stderr words_byte.npy "without scales"
fails encode "${ids[@]}" --tokens noscales.safetensors
says stderr noscales.safetensors "without scales"
for file in gamma.npy scales_half.npy absent.npy; do
    fails encode "${bytes[@]}" --scales "$file"
    says stderr "$file"
done
fails encode "${both[@]}" --scales scales.npy
says stderr scales.npy tokens.npy float32
fails encode "${bytes[@]}" --scales scales.npy --round-steps
says stderr int8

prompted=(--ids ids_prompts_2x3.npy "${tokens[@]}")
fails encode "${prompted[@]}"
says stderr "id 10;" "10 rows"
same_bits encode "${prompted[@]}" --prompts prompts.npy --norm layer
fails encode "${bad[@]}" --prompts prompts.npy
says stderr "token 7" "id -1;" "10 rows and 2 soft prompts"
fails encode "${prompted[@]}" --prompts tokens_odd.npy
says stderr tokens_odd.npy "7 channels" 16
for policy in zero clamp wrap; do
    same_bits encode "${bad[@]}" --bad-ids "$policy"
    says stderr "id 10;"
    cp out.npy "policy-$policy.npy"
done
row policy-zero.npy 16 5 >left
holds "--bad-ids zero is zeros" cmp left zeros
encode 0 --ids ids_clamped_2x4.npy "${tokens[@]}" --out out.npy
holds "--bad-ids clamp names the nearest row" cmp out.npy policy-clamp.npy
row policy-wrap.npy 16 7 >left
encode 0 --ids ids_wrapped_2x4.npy "${tokens[@]}" --out out.npy
row out.npy 16 7 >right
holds "--bad-ids wrap names rows from the end" cmp left right
for device in "" reference; do
    encode 0 "${bad[@]}" --bad-ids nan --device "$device" --out out.npy
    says stderr "id 10;" NaN
    holds "--bad-ids nan is NaN" test "$(row out.npy 16 5 | od -An -v -t f4 | grep -o nan | wc -l)" -eq 16
done
same_bits encode "${typed[@]}" --types types_bad_2x3.npy --bad-ids clamp
says stderr "type 3;" nearest

echo "-- the whole stage: what is refused"
usage --norm batch "${complete[@]}" --norm batch
usage --out-type f64 "${complete[@]}" --out-type f64
usage --bad-ids ignore "${complete[@]}" --bad-ids ignore
for value in 0 -1 nan inf 1e-50 1e39 "" x; do
    usage --epsilon "\"$value\"" "${complete[@]}" --norm layer --epsilon "$value"
done
for option in --gamma --beta --sum-out; do
    usage "$option" "no" "${complete[@]}" "$option" gamma.npy
    usage "$option" "no" "${complete[@]}" "$option" gamma.npy --norm none
done
usage --epsilon "norm" "${complete[@]}" --epsilon 1
usage --gamma-one-plus --gamma "${complete[@]}" --norm rms --gamma-one-plus
usage --types types_2x3.npy "${complete[@]}" --types types_2x3.npy
usage --prefix bert "${complete[@]}" --prefix bert
usage --scales scales.npy encode "${ids[@]}" --model-file bert.safetensors --scales scales.npy \
    --out out.npy
usage --model-file --tokens "${complete[@]}" --model-file bert.safetensors
usage --positions-table nllb encode "${learned[@]}" --model nllb --out out.npy
usage --rule none "${complete[@]}" --model none --rule count --pad-id 3
usage --positions none "${complete[@]}" --model none --positions positions_3.npy
usage --cu-seqlens none encode --ids ids32.npy "${tokens[@]}" --model none --cu-seqlens cu_seqlens.npy \
    --out out.npy
usage --model none table --dim 4 --count 2 --model none --out out.npy
usage --positions-table none encode "${learned[@]}" --model none --out out.npy
usage --positions-table --convention encode "${learned[@]}" --convention t2t --out out.npy
usage --positions-table --grid encode "${learned[@]}" --grid 1x3 --out out.npy
usage "model-file" missing encode "${ids[@]}" --out out.npy
fails encode "${both[@]}" --norm layer --gamma gamma.npy --gamma-one-plus
says stderr "gamma is 1 + gamma"
for file in tokens_flat.npy tokens_int.npy tokens_odd.npy absent.npy; do
    for option in --positions-table --types-table --prompts; do
        fails encode "${both[@]}" "$option" "$file"
        says stderr "$file"
    done
done
fails encode "${both[@]}" --prompts words_byte.npy
says stderr words_byte.npy int8
for file in tokens.npy row_odd.npy row_byte.npy ids32.npy absent.npy bert.safetensors:absent; do
    for option in --gamma --beta; do
        fails encode "${both[@]}" --norm layer "$option" "$file"
        says stderr "${file%:*}"
    done
done
fails encode "${both[@]}" --norm layer --gamma gamma.npy --beta row_half.npy
says stderr float16 float32
fails encode "${learned[@]}" --positions positions_float_3.npy
says stderr float32

echo "-- the whole stage of a model's file"
config()
{
    printf '{%s}' "$2" >"$1.config.json"
}
config bert '"model_type":"bert","hidden_size":16,"layer_norm_eps":1e-12,"pad_token_id":0'
same_bits encode "${ids[@]}" --model-file bert.safetensors --types types_2x3.npy
holds "bert by its file" cmp out.npy stage.npy
run 0 encode "${ids[@]}" --model-file bert.safetensors --out out.npy
says stdout "bert.safetensors: words [10, 16] float32, positions [8, 16] float32, types [3, 16]" \
    "model bert: words + learned positions + row 0 of types, LayerNorm with epsilon 1e-12"
cp out.npy bert.npy
mkdir folder
cp bert.safetensors folder/model.safetensors
cp bert.config.json folder/config.json
run 0 encode "${ids[@]}" --model-file folder --prefix bert --out out.npy
holds "a folder, and a prefix" cmp out.npy bert.npy
encode 0 "${ids[@]}" --model-file bert.safetensors --norm none --out out.npy
holds "--norm none" cmp out.npy typed.npy
same_bits encode "${ids[@]}" --model-file bert.safetensors --epsilon 0.5 --norm rms --out-type f16
says stdout "RMSNorm with epsilon 0.5"
same_bits encode "${ids[@]}" --model-file bert.safetensors --sum-out sum.npy
holds "the sum of a file's stage" cmp sum.npy typed.npy
same_bits encode "${ids[@]}" --model-file bert.safetensors --convention t2t
says stdout "t2t sinusoids"
config bert '"model_type":"roberta","layer_norm_eps":1e-12,"pad_token_id":3'
encode 0 "${ids[@]}" --model-file bert.safetensors --norm none --positions-out used.npy --out out.npy
encode 0 "${typed[@]}" --model roberta --pad-id 3 --start 3 --out other.npy
holds "the config's pad id is also where positions begin" cmp out.npy other.npy
config bert '"model_type":"bart"'
encode 0 "${ids[@]}" --model-file bert.safetensors --norm none --out out.npy
encode 0 "${typed[@]}" --start 2 --out other.npy
holds "bart counts from 2" cmp out.npy other.npy
config bert '"model_type":"marian","scale_embedding":true'
encode 0 "${ids[@]}" --model-file bert.safetensors --norm none --out out.npy
says stdout "(not used)" "words times 4 + marian-hf sinusoids"
encode 0 "${both[@]}" --model marian --types-table types_table.npy --out other.npy
holds "a stored table of sinusoids is not read" cmp out.npy other.npy
config bert '"model_type":"marian","scale_embedding":false'
encode 0 "${ids[@]}" --model-file bert.safetensors --norm none --out out.npy
encode 0 "${both[@]}" --model marian --scale 1 --types-table types_table.npy --out other.npy
holds "the config has no scale" cmp out.npy other.npy
encode 0 "${ids[@]}" --model-file bert.safetensors --norm none --scale sqrt --out out.npy
says stdout "words times 4"
config bert '"model_type":"bert","rms_norm_eps":1e-6'
encode 0 "${ids[@]}" --model-file bert.safetensors --out out.npy
says stdout "RMSNorm with epsilon 1e-06"
config bert '"model_type":"bert","hidden_size":24'
fails encode "${ids[@]}" --model-file bert.safetensors
says stderr bert.safetensors hidden_size 24
config bert '"model_type":"llama"'
fails encode "${ids[@]}" --model-file bert.safetensors
says stderr bert.safetensors '"llama"' --model
run 0 encode "${ids[@]}" --model-file bert.safetensors --model none --out out.npy
says stdout "no positions"
config bert '"model_type":"bert","position_embedding_type":"relative_key"'
fails encode "${ids[@]}" --model-file bert.safetensors
says stderr '"bert"' relative_key
rm bert.config.json
fails encode "${ids[@]}" --model-file bert.safetensors
says stderr "no config" --model
same_bits encode "${ids[@]}" --model-file bert.safetensors --model bert --types types_2x3.npy
holds "without a config, by the model's name" cmp out.npy stage.npy
fails encode "${ids[@]}" --model-file words.safetensors --model bert
says stderr words.safetensors "has none" --positions-table
fails encode "${ids[@]}" --model-file words.safetensors --model xglm --types types_2x3.npy
says stderr types_2x3.npy words.safetensors
fails encode "${ids[@]}" --model-file words.safetensors --model xglm --sum-out sum2.npy
says stderr --sum-out words.safetensors
holds "a failure leaves no sum" test ! -e sum2.npy
same_bits encode "${ids[@]}" --model-file words.safetensors --positions-table positions_table.npy
holds "words of a file, positions of another" cmp out.npy learned.npy
same_bits encode "${ids[@]}" --model-file mixed.safetensors --model gpt2
says stdout "words [10, 16] int8, positions [8, 16] bfloat16" "no norm"
cp out.npy mixed-file.npy
encode 0 "${bytes[@]}" --scales scales.npy --positions-table positions_brain.npy --out out.npy
holds "int8 words and bfloat16 positions of a file" cmp out.npy mixed-file.npy
same_bits encode "${ids[@]}" --model-file modern.safetensors --model none
says stdout "float16" "LayerNorm with epsilon 1e-05"
fails encode "${ids[@]}" --model-file noscales.safetensors --model gpt2
says stderr noscales.safetensors scales
fails encode "${ids[@]}" --model-file shared.safetensors --model bert
says stderr "model.encoder" "choose by a prefix"
same_bits encode "${ids[@]}" --model-file shared.safetensors --model bert --prefix model.encoder
holds "the encoder's positions" cmp out.npy learned.npy
fails encode "${ids[@]}" --model-file shared.safetensors --model bert --prefix other
says stderr '"other.'
fails encode --ids ids32_8.npy --model-file bert.safetensors --model bert --start 1
says stderr "position 8;" "8 rows"
for file in absent.safetensors tokens.npy one.safetensors .; do
    fails encode "${ids[@]}" --model-file "$file" --model bert
    says stderr "$file"
done
fails encode "${bad[@]:0:2}" --model-file bert.safetensors --model bert
says stderr "id 10;"
whole=$source/data/all-MiniLM-L6-v2-excerpt.safetensors
same_bits encode --ids "$source/data/two-sentences.ids.npy" --model-file "$whole"
run 0 encode --ids "$source/data/two-sentences.ids.npy" --model-file "$whole" --out out.npy
says stdout "words [220, 384] float32, positions [64, 384] float32, types [2, 384] float32" \
    "LayerNorm with epsilon 1e-12" "float32 [2, 6, 384]"

echo "-- GGUF files"
for table in q8 q4; do
    same_bits encode "${ids[@]}" --tokens "tables.gguf:$table.weight"
    cp out.npy blocks.npy
    same_bits encode "${ids[@]}" --tokens "${table}_floats.npy"
    holds "$table: blocks are the floats that they stand for" cmp out.npy blocks.npy
done
same_bits encode "${ids[@]}" --tokens q8_floats.npy --positions-table tables.gguf:q4.weight \
    --types-table tables.gguf:q8.weight --norm layer --gamma tables.gguf:f32.row
cp out.npy blocks.npy
encode 0 "${ids[@]}" --tokens q8_floats.npy --positions-table q4_floats.npy \
    --types-table q8_floats.npy --norm layer --gamma tables.gguf:f32.row --out out.npy
holds "blocks of positions and types" cmp out.npy blocks.npy
encode 0 "${ids[@]}" --tokens gemma.gguf --out out.npy
encode 0 "${ids[@]}" --tokens tables.gguf:q8.weight --out other.npy
holds "the only matrix of a GGUF file" cmp out.npy other.npy
fails encode "${ids[@]}" --tokens tables.gguf
says stderr tables.gguf '"q8.weight"' "name one"
fails encode "${ids[@]}" --tokens tables.gguf:absent.weight
says stderr tables.gguf '"absent.weight"'
fails encode "${ids[@]}" --tokens tables.gguf:other.weight
says stderr tables.gguf '"other.weight"' IQ4_NL Q8_0
fails encode "${ids[@]}" --tokens tables.gguf:q8.row
says stderr tables.gguf "[256]"
fails encode "${ids[@]}" --tokens q8_floats.npy --norm layer --gamma tables.gguf:q8.row
says stderr tables.gguf:q8.row Q8_0 "a gamma cannot have"
fails encode "${ids[@]}" --tokens q8_floats.npy --prompts tables.gguf:q8.weight
says stderr Q8_0 "soft prompts"
fails encode "${ids[@]}" --tokens tables.gguf:q8.weight --scales scales.npy
says stderr scales.npy Q8_0
fails encode "${ids[@]}" --tokens tables.gguf:q8.weight --round-steps
says stderr Q8_0
fails encode "${ids[@]}" --tokens absent.gguf:x
says stderr absent.gguf
head -c 100 tables.gguf >cut.gguf
fails encode "${ids[@]}" --tokens cut.gguf:q8.weight
says stderr cut.gguf

same_bits encode "${ids[@]}" --model-file bert.gguf --types types_2x3.npy
holds "bert by its GGUF file" cmp out.npy stage.npy
run 0 encode "${ids[@]}" --model-file bert.gguf --out out.npy
says stdout "bert.gguf: words [10, 16] float32, positions [8, 16] float32, types [3, 16]" \
    "model bert: words + learned positions + row 0 of types, LayerNorm with epsilon 1e-12"
holds "without types their row 0, as llama.cpp has it" cmp out.npy bert.npy
cp bert.gguf named.safetensors
run 0 encode "${ids[@]}" --model-file named.safetensors --out out.npy
holds "a file is GGUF by its first bytes" cmp out.npy bert.npy
run 0 encode "${ids[@]}" --model-file nomic.gguf --out out.npy
says stdout "(not used)" "model none: words + no positions + row 0 of types, LayerNorm"
encode 0 "${both[@]}" --model none --types-table types_table.npy --norm layer "${rows[@]}" --epsilon 1e-5 \
    --out other.npy
holds "nomic-bert has types, a norm and rotations" cmp out.npy other.npy
run 0 encode "${ids[@]}" --model-file nomic.gguf --positions-table positions_table.npy --norm none --out out.npy
says stdout "no model: words + learned positions"
holds "positions of the options" cmp out.npy typed.npy
same_bits encode "${ids[@]}" --model-file llama.gguf
run 0 encode "${ids[@]}" --model-file llama.gguf --out out.npy
says stdout "words [10, 256] Q4_K" "model none: words + no positions, no norm"
encode 0 "${ids[@]}" --tokens q4_floats.npy --model none --out other.npy
holds "llama's stage is its rows" cmp out.npy other.npy
run 0 encode "${ids[@]}" --model-file llama.gguf --convention t2t --out out.npy
says stdout "no model: words + t2t sinusoids"
for option in "--positions positions_3.npy" "--rule count"; do
    # shellcheck disable=SC2086 # an option and its value
    fails encode "${ids[@]}" --model-file llama.gguf $option
    says stderr llama.gguf "no positions" "${option%% *}"
done
run 0 encode "${ids[@]}" --model-file gemma.gguf --out out.npy
says stdout "words [10, 256] Q8_0" "words times 16 + no positions"
encode 0 "${ids[@]}" --tokens q8_floats.npy --model none --scale 16 --out other.npy
holds "gemma's scale is sqrt(D)" cmp out.npy other.npy
run 0 encode "${ids[@]}" --model-file granite.gguf --out out.npy
says stdout "words times 0.75 + no positions"
run 0 encode "${ids[@]}" --model-file granite.gguf --scale 3 --out out.npy
says stdout "words times 3 + no positions"
fails encode "${ids[@]}" --model-file gpt2.gguf
says stderr gpt2.gguf "a learned table" "has none"
fails encode "${ids[@]}" --model-file novel.gguf
says stderr novel.gguf '"novel"' --model "may be none"
run 0 encode "${ids[@]}" --model-file novel.gguf --model none --out out.npy
says stdout "model none: words + no positions"
fails encode "${ids[@]}" --model-file bare.gguf
says stderr bare.gguf --model
fails encode "${ids[@]}" --model-file wide.gguf
says stderr wide.gguf "dim: 16" "bert.embedding_length has 24"
fails encode "${ids[@]}" --model-file long.gguf
says stderr long.gguf "rows: 8" "bert.context_length has 9"
fails encode "${ids[@]}" --model-file cut.gguf
says stderr cut.gguf

run 0 identify tables.gguf:f16.weight
says stdout "sinusoidal: " vaswani "float16" "posemb table --convention vaswani --dim 32"
run 1 identify --json tables.gguf:q8.weight
cp stdout blocks.json
run 1 identify --json q8_floats.npy
holds "identify takes blocks as their floats" cmp stdout blocks.json
run 1 identify tables.gguf:other.weight
says stderr '"other.weight"' IQ4_NL
run 1 identify tables.gguf:absent
says stderr tables.gguf '"absent"'

echo "-- the README's calls of encode"
# Each on one line, its files those of this test.
awk '/^    build\/posemb encode/ { on = 1 }
     on { line = line $0; if (sub(/\\$/, "", line)) next; print line; line = ""; on = 0 }' \
    "$source/README.md" |
    sed -e "s|build/posemb encode||" -e "s|build/|$folder/|g" -e "s|data/|$source/data/|g" >calls
holds "the README calls encode" test "$(wc -l <calls)" -ge 5
while read -r -a call; do
    run 0 encode "${call[@]}"
done <calls
run 0 encode --ids "$source/data/two-sentences.ids.npy" --model-file "$whole" --out-type f16 --out out.npy
holds "the pieces are the whole" cmp out.npy pieces.npy

echo "-- empty"
same_bits encode --ids ids_empty.npy "${tokens[@]}"
shaped out.npy "(0, 16)" 0
same_bits encode --ids ids_empty_2x0.npy "${tokens[@]}"
shaped out.npy "(2, 0, 16)" 0
same_bits table --dim 4 --count 0
shaped out.npy "(0, 4)" 0

echo "-- table and conventions"
run 0 conventions
silent stderr
for convention in vaswani t2t marian-hf; do
    run 0 conventions
    holds "conventions lists $convention" grep -q "^$convention " stdout
    for dim in 1 7 8; do
        same_bits table --convention "$convention" --dim "$dim" --start 1 --count 2
        shaped out.npy "(2, $dim)" $((2 * dim))
        cp out.npy "$convention-$dim.npy"
    done
    near "$convention-7.npy" 0 0.8414709848
    near "$convention-7.npy" 7 0.9092974268
    same_bits encode "${both[@]}" --convention "$convention"
done
# D 7: w_3 is 10000^(-6/7) in vaswani and marian-hf; t2t has three pairs, w_2 = 1e-4, and a zero.
near vaswani-7.npy 1 0.5403023059
near vaswani-7.npy 6 0.0003727594
near marian-hf-7.npy 3 0.0003727594
near marian-hf-7.npy 4 0.5403023059
near t2t-7.npy 2 0.0001
near t2t-7.npy 3 0.5403023059
row t2t-7.npy 1 6 >left
holds "t2t of an odd D ends with a zero" cmp -n 4 left zeros
near vaswani-8.npy 2 0.0998334166
near t2t-8.npy 1 0.0463992237
same_bits table --dim 16 --positions positions_mixed_2x3.npy
shaped out.npy "(2, 3, 16)" 96
run 0 table --dim 16 --positions positions_from5_3.npy --out out.npy
run 0 table --dim 16 --start 5 --count 3 --out from5.npy
holds "a table of positions" cmp out.npy from5.npy
same_bits table --dim 6 --base 500 --start 4294967295 --count 1
fails table --dim 6 --start 4294967295 --count 2
fails table --dim 16 --positions positions_above_3.npy
says stderr "token 1" "position 4294967296,"
usage --dim missing table --count 3 --out out.npy
usage --out missing table --dim 4 --count 3
usage --count missing table --dim 4 --out out.npy
usage --count --positions table --dim 4 --count 3 --positions positions_3.npy --out out.npy
usage --start --positions table --dim 4 --start 3 --positions positions_3.npy --out out.npy
for value in 0 -1 65537 x ""; do
    usage --dim "\"$value\"" table --dim "$value" --count 3 --out out.npy
done
for value in -1 4294967296 x ""; do
    usage --count "\"$value\"" table --dim 4 --count "$value" --out out.npy
done
usage convention VASWANI table --dim 4 --count 3 --convention VASWANI --out out.npy

echo "-- outputs that cannot be written"
encode 1 "${both[@]}" --out absent/out.npy
says stderr absent/out.npy
holds "no folder is made" test ! -e absent
mkdir occupied
run 1 table --dim 4 --count 3 --out occupied
says stderr occupied
holds "a folder is not replaced" test -d occupied

echo "-- devices"
run 0 devices
silent stderr
says stdout "0: " "bits equal the reference"
name=$(sed -n '1s/^0: //p' stdout)
run 0 devices --json
silent stderr
holds "devices --json is JSON" "$make_inputs" --json stdout
for key in index platform name version driver type compute_units global_memory max_allocation \
    bits_equal differing values error; do
    says stdout "\"$key\": "
done
says stdout '"index": 0' '"bits_equal": true' '"error": null'
tiny=(--dim 4 --count 3)
for device in 0 "name:$name" "name:$(tr '[:lower:]' '[:upper:]' <<<"$name")"; do
    run 0 table "${tiny[@]}" --device "$device" --out out.npy
    says stdout "computed on $name"
done
for device in 99 "name:no such device"; do
    fails table "${tiny[@]}" --device "$device"
    says stderr "${device#name:}" "$name"
done
for device in foo -1 1x; do
    fails table "${tiny[@]}" --device "$device"
    says stderr "\"$device\""
done
export POSEMB_DEVICE=reference
run 0 table "${tiny[@]}" --out out.npy
says stdout "computed on the CPU reference"
run 0 table "${tiny[@]}" --device 0 --out out.npy
says stdout "computed on $name"
export POSEMB_DEVICE=99
fails table "${tiny[@]}"
says stderr 99
run 0 table "${tiny[@]}" --device reference --out out.npy
export POSEMB_DEVICE=
run 0 table "${tiny[@]}" --out out.npy
says stdout "computed on $name"
unset POSEMB_DEVICE

echo "-- verify"
run 0 verify
sed -i '/^[0-9]* warnings* generated\.$/d' stderr # a driver's compiler may say so
silent stderr
says stdout "$name" "0 differ from the reference" "the same bits"
lacks "$last: a mismatch" grep -q MISMATCH stdout
digest=$(sed -n 's/.*the same bits; digest //p' stdout)
run 0 verify --device all
says stdout "$name" "the same bits; digest $digest"
run 0 verify --device reference
says stdout "the CPU reference" "the same bits; digest $digest"
run 1 verify --device 99
says stderr 99

echo "-- bench"
for value in 2x8 0x8x64 2x8x65537 2x8x64x 2x8x64x2 x -2x8x64 "" 65536x65536x1; do
    usage --shape "\"$value\"" bench --shape "$value"
done
usage "--table is" "\"f64\"" bench --shape 2x8x64 --table f64
usage "--out is" "\"i8\"" bench --shape 2x8x64 --out i8
usage "--ids is" "\"some\"" bench --shape 2x8x64 --ids some
usage "--norm is of one case" "which needs --shape" bench --norm layer
usage "--ids is of one case" --shape bench --quick --ids zipf
usage --full "exclude each other" bench --quick --full
usage --shape "exclude each other" bench --quick --shape 2x8x64
usage --accuracy "exclude each other" bench --accuracy --rules
usage "no such case" "multiples of 32 channels" bench --shape 2x8x65 --table q8_0
usage "no such case" "without positions there is no rule" bench --shape 2x8x64 --position none --rule explicit
usage "no such case" "reads no rows" bench --shape 2x8x64 --op table --table f16
for value in 0 -1 nan 3601 1s ""; do
    usage --seconds "\"$value\"" bench --shape 2x8x64 --seconds "$value"
done
run 0 bench --device all --shape 2x8x64 --seconds 0.02 --json bench.jsonl --csv bench.csv
silent stderr
says stdout "$name" "one enqueue:" "saves 1 launches"
holds "each line is JSON" "$make_inputs" --json-lines bench.jsonl
stage() { grep '"kind":"stage"' "${1:-bench.jsonl}"; }
count() { stage | grep -c "$1"; }
holds "the first line is that of the run" grep -q '"kind":"run"' <(head -n 1 bench.jsonl)
for key in date version source kernel mode platform device device_type driver opencl_c compute_units \
    global_memory max_allocation cache_size shape tuning os cpu cpus environment seed; do
    holds "the run has $key" grep -q "\"$key\":" <(head -n 1 bench.jsonl)
done
lacks "a record names a folder" grep -q "$folder\|$build" bench.jsonl
holds "nine cases" test "$(stage | wc -l)" -eq 9
holds "one line on the enqueue" test "$(grep -c '"kind":"enqueue"' bench.jsonl)" -eq 1
holds "every line belongs to the run" test "$(grep -o '"run":"[0-9a-f]*"' bench.jsonl | sort -u | wc -l)" -eq 1
for key in schema run op shape table out position rule norm consumer rows ids bytes digest statistic \
    repeats launches seconds median_seconds p90_seconds call_seconds event_seconds timing yardsticks \
    ratios bytes_per_second copy_bytes_per_second; do
    holds "every case has $key" test "$(count "\"$key\":")" -eq 9
done
holds "every case was verified" test "$(count '"verified":true')" -eq 9
holds "no yardstick was wrong" test "$(count '"wrong"')" -eq 0
for operation in encode add table; do
    holds "$operation is measured" test "$(count "\"op\":\"$operation\"")" -eq 3
done
for yardstick in '9 copy' '9 copy buffer' '3 gather' '6 gather + table' '3 unfused' '9 vendor sin'; do
    holds "yardsticks: $yardstick" test "$(count "\"${yardstick#* }\":{")" -eq "${yardstick%% *}"
done
holds "the flat table has nine rows" test "$(wc -l <bench.csv)" -eq 10
holds "of 35 columns" test "$(sed 's/"[^"]*"/text/g' bench.csv | awk -F, '{print NF}' | sort -u)" = 35
run 0 bench --device 0 --shape 8x2x64 --table bf16 --out f16 --position learned --types row --norm layer \
    --consumer reader --rows hot --ids zipf --seconds 0.02 --json one.jsonl
holds "one case" test "$(stage one.jsonl | wc -l)" -eq 1
holds "as it was chosen" grep -q '"shape":\[8,2,64\],"table":"bf16","out":"f16","position":"learned","types":true,"rule":"index","norm":"layer","consumer":"reader","rows":"hot","ids":"zipf"' one.jsonl
holds "unfused it has four kernels" grep -q '"unfused":{[^}]*"launches":4' one.jsonl
run 0 bench --device 0 --shape 100000x1000x4096 --op table --json one.jsonl
says stdout "skipped: a buffer of"
holds "what has no room is recorded" grep -q '"kind":"skip".*100000,1000,4096.*a buffer of' one.jsonl
run 0 bench --device 0 --accuracy --json one.jsonl
holds "accuracy: five methods at seven positions" test "$(grep -c '"kind":"accuracy"' one.jsonl)" -eq 35
holds "posemb's errors are below 8e-8" test "$(grep -c '"method":"posemb".*"max_error":[0-7]\.[0-9]*e-8' one.jsonl)" -eq 7
holds "a float angle is wrong at 10^6" grep -q '"method":"sin/cos","position":1000000,.*"max_error":0\.0' one.jsonl

# An interrupt ends it, and what was measured is there.
"$posemb" bench --device 0 --shape 2x8x64 --seconds 20 --json late.jsonl >stdout 2>stderr &
until grep -q encode stdout || ! kill -0 $! 2>/dev/null; do sleep 0.1; done
kill -INT $! && status=0
wait $! || status=$?
holds "an interrupt is a failure" test "$status" -eq 1
says stderr "interrupted; what was measured until then is kept"
holds "what was measured is there" "$make_inputs" --json-lines late.jsonl
holds "and that it was cut off" grep -q '"what":"the rest","reason":"interrupted"' late.jsonl
run 1 bench --device reference --shape 2x8x64
says stderr "OpenCL device"
POCL_DEVICES="pthread pthread" run 0 bench --devices --device 0 --shape 4x4x64 --json devices.jsonl
says stdout "[4,4,64] over devices of the platform: 2 devices" "times as fast" "over sub-devices: "
holds "each line is JSON" "$make_inputs" --json-lines devices.jsonl
for key in '"schema":2' '"kind":"devices"' '"count":2' '"verified":true' '"speedup":' '"single_seconds":'; do
    holds "devices have $key" grep -q "$key" devices.jsonl
done
run 0 bench --devices --device 0 --shape 4x4x64
says stdout "over devices of the platform: not measured: the platform has one device"
run 2 bench --devices --rules
says stderr "exclude each other"
run 2 bench --devices --parts
run 0 bench --backward --device 0 --shape 3x5x33 --seconds 0.005 --json backward.jsonl
says stdout "gradients, [3,5,33], a table of 32000 rows" "all through LayerNorm"
holds "each line is JSON" "$make_inputs" --json-lines backward.jsonl
holds "six gradients" test "$(grep -c '"kind":"backward"' backward.jsonl)" -eq 6
for key in '"shape":\[3,5,33\]' '"table_rows":32000' '"bytes":[1-9]' '"verified":true' '"differing":0,' '"repeats":[1-9]' \
    '"launches":[1-9]' '"seconds":[0-9.]*[1-9]' '"copy_seconds":[0-9.]*[1-9]' '"ratio_to_copy":[0-9.]*[1-9]'; do
    holds "every gradient has $key" test "$(grep '"kind":"backward"' backward.jsonl | grep -c "$key")" -eq 6
done
# dY of 15 tokens, their ids, the rows added to.
holds "what is added to is read and written" grep -q '"token table, added to".*"bytes":6000,' backward.jsonl
run 0 bench --backward --device 0 --shape 100000x1000x4096 --json backward.jsonl
says stdout "gradients, [100000,1000,4096]: not measured: a buffer of"
holds "what has no room is recorded" grep -q '"kind":"skip".*"what":"gradients, .*a buffer of' backward.jsonl
run 2 bench --backward --parts
says stderr "exclude each other"
usage "--norm is of one case" "which needs --shape" bench --backward --shape 2x8x64 --norm rms
run 1 bench --device 0 --shape 2x8x64 --json absent/bench.jsonl
says stderr absent/bench.jsonl
cp bench.jsonl before
for device in 99 reference; do
    run 1 bench --device "$device" --shape 2x8x64 --json bench.jsonl
    holds "$last: changed the file" cmp bench.jsonl before
done

echo "-- report"
# at WHAT PATH TEXT: page.html has the text at the XPath.
at()
{
    local found
    found=$(xmllint --xpath "string($2)" page.html)
    if [[ $found == *"$3"* ]]; then pass; else fail "$1: \"$3\" is not in \"$found\""; fi
}
run 0 report bench.jsonl --out page.html --svg picture.svg --markdown=table.md
silent stdout
silent stderr
holds "the page is well-formed" xmllint --noout --nonet page.html
holds "the picture is well-formed" xmllint --noout --nonet picture.svg
at "the verdict" '//p[@id="verdict"]' "equal the reference in every bit"
at "the device" "//section[@id=\"devices\"]//h3" "A: $name"
at "launches below a MiB" '//section[@id="small"]//tbody' "[2,8]×64"
holds "the table has a line for the device" grep -q "^A: ." table.md
lacks "nothing is fetched" grep -qE '(src|href)="[^#]|url\(|@import|<script' page.html
run 0 report "$source"/bench/results/*.jsonl --out page.html
holds "the page of the results is well-formed" xmllint --noout --nonet page.html

# records FILE RUN DEVICE DIGEST: a run with one stage.
records()
{
    cat >"$1" <<RECORDS
{"schema":2,"kind":"run","run":"$2","device":"$3","platform":"p","driver":"1"}
{"schema":2,"kind":"stage","run":"$2","op":"encode","shape":[8,512,1024],"verified":true,"digest":"$4","seconds":2e-3,"yardsticks":{"copy":{"seconds":1.5e-3}}}
RECORDS
}
records one.jsonl 0000000000000001 "First & <Device>" aaaaaaaaaaaaaaaa
records same.jsonl 0000000000000002 "Second" aaaaaaaaaaaaaaaa
records other.jsonl 0000000000000003 "Third" bbbbbbbbbbbbbbbb
run 0 report one.jsonl same.jsonl --out page.html
at "the same bits" '//p[@id="verdict" and @class="verdict same"]' "The same bits."
at "a hostile name" '//section[@id="devices"]//h3' "A: First & <Device>"
at "the share of the copy limit" '//section[@id="shares"]//figure' "75 % · 2.00 ms"
run 0 report one.jsonl same.jsonl other.jsonl --out page.html
at "bits that differ" '//p[@id="verdict" and @class="verdict differ"]' "more than one digest"
at "the digest that differs" '//tr[@class="bad"]' "≠ bbbbbbbbbbbbbbbb"
run 0 report one.jsonl same.jsonl --markdown=table.md
run 0 report one.jsonl same.jsonl --markdown
holds "the same on standard output" cmp stdout table.md
says stdout '| \[8,512\]×1024 | 75 % · 2.00 ms | 75 % · 2.00 ms |' "A: First &amp; &lt;Device&gt;"
cp page.html before
{ cat one.jsonl; echo '{"schema":2,"kind":"stage"'; } >bad.jsonl
run 1 report same.jsonl bad.jsonl --out page.html --svg absent.svg --markdown
says stderr "bad.jsonl: line 3: it is not JSON"
silent stdout
holds "$last: changed the page" cmp page.html before
lacks "$last: left a picture" test -e absent.svg
run 1 report one.jsonl --out page.html --svg absent/picture.svg
says stderr absent/picture.svg
holds "$last: changed the page" cmp page.html before
run 1 report one.jsonl one.jsonl --out page.html
says stderr "one.jsonl: line 1: run 0000000000000001 is there already: one.jsonl, line 1"
: >empty.jsonl
run 1 report empty.jsonl --out page.html
says stderr "no records"
run 1 report absent.jsonl --markdown
says stderr absent.jsonl
usage "files of records" report report
usage "--out, --svg or --markdown" report report one.jsonl
ln -s one.jsonl link.jsonl
usage --out '"./one.jsonl"' report ./one.jsonl --out link.jsonl
usage --svg '"same"' report one.jsonl --out same --svg same
usage report options report --nonsense one.jsonl
run 0 report --help
says stdout "usage: posemb report"
echo "-- tuning"
tune=(tune --device 0 --size 1 --seconds 0.1)
usage --op '"mul"' tune --op mul
usage --table '"f32,f33"' tune --table f32,f33
usage --dim '"64,"' tune --dim 64,
usage --dim '"0"' tune --dim 0
usage --norm '"layer,,rms"' tune --norm layer,,rms
usage --search '"rows,line"' tune --search rows,line
usage --seconds '"0"' tune --seconds 0
usage --size '"1025"' tune --size 1025
usage "nothing that is all of that" "whole blocks" tune --table q8_0 --dim 48
usage "nothing that is all of that" "add takes no int8" tune --op add --table i8
run 1 tune --device reference
says stderr "OpenCL device"
run 1 "${tune[@]}" --op table --out absent/tuning.txt
says stderr absent/tuning.txt
printf 'as it was' >tuning.txt
run 1 tune --device 99 --out tuning.txt
holds "$last: changed the file" grep -qx "as it was" tuning.txt
run 0 tune --show
says stdout "shape=cpu: rows=8" "shape=gpu: rows=4"
cp stdout built_in.txt
run 0 "${tune[@]}" --op table --dim 64,1024 --search rows --out tuning.txt
silent stderr
says stdout "$name" "op=table norm=none dim=64 " "op=table norm=none dim=1024 "
holds "its provenance" grep -q "^# device: $name" tuning.txt
holds "its cases" test "$(grep -c '^# op=table norm=none dim=.* settings tried$' tuning.txt)" -eq 2
printf 'any: shape=gpu\n' >slow.txt # some thirty times on a CPU
run 0 "${tune[@]}" --op table --dim 1024 --search shape --tuning slow.txt --out fast.txt
says stdout " shape=cpu rows=8 shared_rows=8"
holds "an entry for this device" grep -q \
    "^platform=\".*\" device=\"$name\" op=table norm=none dim=513..2048: shape=cpu rows=8 shared_rows=8 turns=8 streamed_threshold=4M$" fast.txt
run 0 verify --tuning fast.txt
cat >by_hand.txt <<'END'
# the slowest
any: rows=1 shared_rows=off prefetch=0   # on CPUs
op=encode dim=16: rows=2
END
encode 0 "${both[@]}" --device 0 --out out.npy
for file in tuning.txt by_hand.txt built_in.txt fast.txt; do
    encode 0 "${both[@]}" --device 0 --tuning "$file" --out other.npy
    holds "$file changes no bit" cmp out.npy other.npy
done
run 0 table --dim 64 --count 3 --tuning by_hand.txt --device 0 --out out.npy
printf 'any: rows=2\n\nany: rows=3\n' >bad.txt
printf 'any: rows=2\0\n' >zero.txt
head -c 262145 /dev/zero | tr '\0' '\n' >long.txt
for command in "encode ${both[*]} --out absent.npy" "verify" "bench --shape 2x8x64"; do
    # shellcheck disable=SC2086
    run 1 $command --tuning bad.txt
    says stderr 'bad.txt: tuning, line 3: rows is "3", not a power of two from 1 to 16'
    # shellcheck disable=SC2086
    run 1 $command --tuning absent.txt
    says stderr absent.txt
done
run 1 verify --tuning zero.txt
says stderr "zero.txt: byte 11 is zero"
run 1 verify --tuning long.txt
says stderr "long.txt: more than the 262144 bytes"
holds "no file of a failure" test ! -e absent.npy

echo "-- sentences"
printf '%s\n' the dog chased a cat . bird saw it and >words.txt
model=("${tokens[@]}" --words words.txt --out out.npy)
run 0 sentences "${model[@]}" "dog chased cat" "cat chased dog"
silent stderr
says stdout "without positions: 3 of 3" "the same bag of rows" "with positions:    1 of 3" \
    "differ from the reference: 0" "a plain copy"
shaped out.npy "(6, 16)" 96
run 0 sentences "${model[@]}" --device reference --ids-out words.npy --positions-out places.npy \
    "dog chased cat" "cat chased dog"
encode 0 --ids words.npy --positions places.npy "${tokens[@]}" --scale sqrt --device reference --out other.npy
holds "the words of sentences are input of encode" cmp out.npy other.npy
run 0 sentences "${model[@]}" --device reference "The DOG saw a bird" "the dog saw a bird"
says stdout "with positions:    5 of 5: the sentences are the same" "not measured on the reference"
shaped out.npy "(10, 16)" 160
run 0 sentences "${model[@]}" --device reference "the dog" "the dog saw"
says stdout "without positions: 2 of 3"
lacks "$last: not the same bag" grep -q "same bag" stdout
run 0 sentences --tokens tables.gguf:q8.weight --words words.txt --device reference --out out.npy "the dog" \
    "dog the"
shaped out.npy "(4, 256)" 1024
sentences=(sentences "${tokens[@]}" --words words.txt)
fails "${sentences[@]}" "the dog" "the wolf"
says stderr '"wolf"' words.txt
usage "two sentences" 1 "${sentences[@]}" --out out.npy "the dog"
usage "two sentences" 3 "${sentences[@]}" --out out.npy a a a
usage --tokens --words sentences --out out.npy a a
head -n 9 words.txt >few.txt
fails sentences "${tokens[@]}" --words few.txt "the dog" "a dog"
says stderr few.txt
fails sentences "${tokens[@]}" --words absent.txt "the dog" "a dog"
says stderr absent.txt
excerpt=$source/data/all-MiniLM-L6-v2-excerpt
run 0 sentences --device reference --words "$excerpt.words.txt" --out out.npy \
    --tokens "$excerpt.safetensors:embeddings.word_embeddings.weight" \
    "the dog chased the cat ." "the cat chased the dog ."
says stdout "the same bag of rows"
shaped out.npy "(12, 384)" 4608

echo "-- cache"
export POSEMB_CACHE_DIR=$folder/programs POSEMB_CACHE=strict
run 0 cache
says stdout "0 files, 0 bytes, 0 damaged, in $folder/programs"
run 0 cache --path
holds "cache --path is the folder" test "$(cat stdout)" = "$folder/programs"
lacks "looking makes no folder" test -e programs
run 0 table --dim 8 --count 2 --out out.npy
run 0 cache
says stdout "1 files" "0 damaged" "-DPOSEMB_OPERATION=3"
run 0 cache --verify
holds "cache --verify lists nothing that is whole" test "$(wc -l <stdout)" -eq 1
printf 'x' >>"$(ls programs/*.posemb)"
run 1 cache --verify
says stdout "DAMAGED: " "1 damaged"
run 0 cache
says stdout "DAMAGED: "
fails table --dim 8 --count 2
says stderr "a file of the program cache is not used"
POSEMB_CACHE=on run 0 table --dim 8 --count 2 --out out.npy
says stderr "posemb: a file of the program cache is not used"
run 0 cache --verify
silent stderr
POSEMB_CACHE=nonsense run 1 table --dim 8 --count 2 --out out.npy
says stderr 'POSEMB_CACHE is "nonsense"'
run 0 cache --clear
says stdout "1 files removed"
POSEMB_CACHE=off run 0 table --dim 8 --count 2 --out out.npy
run 0 cache --folder "$folder/programs"
says stdout "0 files"
chmod 777 programs
run 1 cache
says stderr "is writable by others"
run 1 cache --clear
chmod 700 programs
run 2 cache --clear --verify
says stderr "exclude each other"
run 2 cache --nonsense
run 2 cache extra
says stderr '"extra"'

echo "-- without an OpenCL device"
mkdir none
unset OCL_ICD_FILENAMES
export OCL_ICD_VENDORS=$folder/none
encode 0 "${both[@]}" --out out.npy
says stderr "CPU reference"
says stdout "computed on the CPU reference"
holds "the same bytes without a device" cmp out.npy plain.npy
encode 0 "${both[@]}" --device reference --out out.npy
silent stderr
fails encode "${both[@]}" --device 0
run 0 devices
says stdout "no OpenCL device"
run 0 devices --json
holds "an empty list is JSON" "$make_inputs" --json stdout
run 1 verify --device all
says stderr "no OpenCL device"
run 1 bench --shape 2x8x64
says stderr "OpenCL device"
run 0 verify
says stdout "the same bits; digest $digest"

holds "no temporary files are left" test -z "$(find . -name '.posemb-*')"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
