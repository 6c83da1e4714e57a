#!/usr/bin/env bash
# test_example_blob.sh EXAMPLE: the first run builds, the second takes the blob, one with a damaged blob
# says so and builds.
set -eu
example=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

# expect WORDS FILE: the file holds the words.
expect()
{
    grep -qF "$1" "$2" || { echo "FAILED: no \"$1\" in:"; cat "$2"; exit 1; }
}

"$example" "$folder" >first 2>&1
expect "built from source" first
"$example" "$folder" >second 2>&1
expect "from the blob" second
[ "$(ls ./*.blob | wc -l)" -eq 1 ] || { echo "FAILED: not one blob"; exit 1; }
printf 'x' >>"$(ls ./*.blob)"
"$example" "$folder" >third 2>&1
expect "warning: the blob of a program is not used" third
expect "built from source" third
echo "example_blob: all well"
