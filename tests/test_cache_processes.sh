#!/usr/bin/env bash
# test_cache_processes.sh POSEMB: eight processes on one cold cache all do their work, with the same bytes,
# and leave one whole program and nothing else.
set -eu
posemb=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
export POSEMB_CACHE=strict POSEMB_CACHE_DIR=$folder/programs POCL_CACHE_DIR=$folder/pocl

pids=
for i in 1 2 3 4 5 6 7 8; do
    "$posemb" table --dim 64 --count 100 --out "$i.npy" >"$i.log" 2>&1 &
    pids="$pids $!"
done
failed=0
for pid in $pids; do
    wait "$pid" || failed=1
done
[ "$failed" -eq 0 ] || { cat ./*.log; echo "FAILED: a process failed"; exit 1; }
"$posemb" table --dim 64 --count 100 --device reference --out reference.npy >/dev/null
for i in 1 2 3 4 5 6 7 8; do
    cmp "$i.npy" reference.npy || { echo "FAILED: $i.npy differs from the reference"; exit 1; }
done
"$posemb" cache --verify
[ "$(ls -A "$POSEMB_CACHE_DIR" | wc -l)" -eq 1 ] || { ls -la "$POSEMB_CACHE_DIR"; echo "FAILED: not one file"; exit 1; }
echo "eight processes: all well"
