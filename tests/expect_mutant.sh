#!/usr/bin/env bash
# expect_mutant.sh COMMAND verify|bench|devices|tune differs|equal: the subcommand tells, by exit status and
# in words, that the bits of its kernels differ from the reference, or that they are equal.
set -u
command=$1
subcommand=$2
outcome=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

arguments=()
case $subcommand in
bench) arguments=(--device 0 --shape 2x64x96 --op encode --seconds 0.05 --json "$folder/bench.jsonl"
                  --csv "$folder/bench.csv") ;;
verify) arguments=(--device 0) ;;
tune) arguments=(--device 0 --op table --dim 96 --size 1 --seconds 0.1 --search rows --out "$folder/tuning.txt") ;;
esac
if [ "$outcome" = differs ]; then
    [ "$subcommand" != verify ] || arguments+=(--stop)
    expected=1
else
    expected=0
fi

"$command" "$subcommand" "${arguments[@]}" >"$folder/output" 2>&1
status=$?
cat "$folder/output"
if [ "$status" -ne "$expected" ]; then
    echo "FAILED: exit status $status, not $expected"
    exit 1
fi

# How each subcommand says it. "0 differ" and "may differ" do not count.
case $subcommand in
verify | tune) words='MISMATCH' ;;
devices) words='BITS DIFFER' ;;
bench) words='[1-9][0-9]* .*(differ|mismatch)' ;;
esac
if grep -Eiq "$words" "$folder/output"; then
    found=differs
else
    found=equal
fi
if [ "$found" != "$outcome" ]; then
    echo "FAILED: the output reads as \"$found\", not \"$outcome\""
    exit 1
fi
[ "$subcommand" = bench ] || exit 0
if [ ! -s "$folder/bench.jsonl" ] || [ ! -s "$folder/bench.csv" ]; then
    echo "FAILED: bench wrote no records"
    exit 1
fi
# A number stands in the records of right kernels alone.
if grep -q '"median_seconds"' "$folder/bench.jsonl"; then numbers=equal; else numbers=differs; fi
if [ "$numbers" != "$outcome" ]; then
    echo "FAILED: the records are those of kernels whose bits are \"$numbers\""
    exit 1
fi
if [ "$subcommand" = tune ] && [ "$outcome" = differs ] && [ -e "$folder/tuning.txt" ]; then
    echo "FAILED: tune wrote what it found with wrong bits"
    exit 1
fi
