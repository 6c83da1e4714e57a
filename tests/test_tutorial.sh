#!/usr/bin/env bash
# test_tutorial.sh BUILD_FOLDER SOURCE_FOLDER: every command of docs/tutorial.md works as printed, one
# after the other, and prints what stands under it; so do the commands of README.md that make its
# pictures, and its numbers of posemb experiment are those of the tutorial's. Every picture of both
# pages has the size that a command there gives it today.
set -eu
build=$(cd "$1" && pwd)
source=$(cd "$2" && pwd)
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir -p "$folder/build" "$folder/docs/pictures"
ln -s "$build/posemb" "$folder/build/posemb"
ln -s "$source/data" "$folder/data"
cd "$folder"
unset POSEMB_DEVICE
failed=0

fail()
{
    echo "FAILED: $*"
    failed=$((failed + 1))
}

# Blocks of ```sh, as files 01.sh, 02.sh ..., each with the ```text block that follows it, if any.
mkdir blocks
awk '/^```sh$/ { n++; name = sprintf("blocks/%02d.sh", n); inside = 1; next }
    /^```text$/ { name = sprintf("blocks/%02d.text", n); inside = 1; next }
    /^```$/ { inside = 0; next }
    inside { print >name }' "$source/docs/tutorial.md"
# The commands of README.md that make pictures, indented there.
awk '/^    build\/posemb view .*docs\/pictures\// { sub(/^ +/, ""); print }' "$source/README.md" \
    >blocks/readme.sh
[ "$(wc -l <blocks/readme.sh)" -ge 3 ] || fail "README.md has fewer than three commands of pictures"

ran=0
for block in blocks/*.sh; do
    if ! bash -eu "$block" >output 2>&1; then
        fail "$(cat "$block"): $(tail -n 3 output)"
    fi
    if grep -q '^build/posemb experiment --out ' "$block"; then cp output experiment.output; fi
    ran=$((ran + $(grep -c '^build/posemb ' "$block")))
    text=${block%.sh}.text
    [ -f "$text" ] || continue
    while IFS= read -r line; do
        grep -qF -e "$line" output || fail "$(head -n 1 "$block"): it does not print \"$line\""
    done <"$text"
done
# README.md's numbers of the experiment.
awk '/^## / { on = /^## What positions change$/ } /^```/ { inside = on && /^```text$/; next } inside && NF' \
    "$source/README.md" >blocks/experiment.readme
[ "$(wc -l <blocks/experiment.readme)" -ge 20 ] || fail "README.md has few numbers of the experiment"
while IFS= read -r line; do
    grep -qF -e "$line" experiment.output || fail "posemb experiment does not print README.md's \"$line\""
done <blocks/experiment.readme

[ "$ran" -ge 10 ] || fail "docs/tutorial.md has only $ran commands"
wanted=$(grep -c '^build/posemb ' "$source/docs/tutorial.md")
[ "$ran" -eq $((wanted + $(wc -l <blocks/readme.sh))) ] || fail "a command is outside its block"

# size FILE: width and height of a PNG file.
size()
{
    head -c 24 "$1" | tail -c 8 | od -An -t u4 --endian=big
}

shown=0
for page in README.md docs/tutorial.md; do
    while read -r picture; do
        shown=$((shown + 1))
        kept=$source/docs/pictures/$picture
        made=build/$picture
        [ -f "$made" ] || made=docs/pictures/$picture
        if [ ! -f "$kept" ] || [ ! -f "$made" ]; then
            fail "$page: no such picture, or no command that makes it: $picture"
        elif [ "$(size "$kept")" != "$(size "$made")" ]; then
            fail "$page: $picture is not what its command makes"
        fi
    done < <(sed -nE 's/^!\[.*\]\((docs\/)?pictures\/([^)]+)\)$/\2/p' "$source/$page")
done
[ "$shown" -ge 6 ] || fail "the pages show only $shown pictures"

echo "$ran commands, $shown pictures, $failed failed"
[ "$failed" -eq 0 ]
