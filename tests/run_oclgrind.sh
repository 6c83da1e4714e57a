#!/usr/bin/env bash
# run_oclgrind.sh OCLGRIND PROGRAM [CHECK...]: PROGRAM under Oclgrind with these checks. Oclgrind exits
# with 0 even where it found something: what counts is its log.
set -u
oclgrind=$1
program=$2
shift 2
log=$(mktemp)
trap 'rm -f "$log"' EXIT

# Through its wrapper Oclgrind hides the drivers of the machine.
unset OCL_ICD_VENDORS
"$oclgrind" "$@" --log "$log" "$program"
status=$?
if [ "$status" -ne 0 ]; then
    echo "FAILED: exit status $status under oclgrind $*"
    exit 1
fi
if [ -s "$log" ]; then
    echo "FAILED: oclgrind $* found:"
    head -n 40 "$log"
    exit 1
fi
echo "oclgrind $*: nothing found"
