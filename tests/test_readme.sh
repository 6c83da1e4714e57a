#!/bin/bash
# Every C block of README.md stands, line by line, in one of the examples (indentation aside).
# usage: test_readme.sh SOURCE_DIR
set -euo pipefail
cd "$1"

awk '
function strip(line) { sub(/^[ \t]+/, "", line); return line }
FILENAME != "README.md" { examples[FILENAME] = examples[FILENAME] strip($0) "\n"; next }
/^```c$/ { inside = 1; block = ""; next }
/^```$/ && inside {
    inside = 0; blocks++; found = 0
    for (name in examples)
        if (index(examples[name], block)) found = 1
    if (!found) { printf "C block %d of README.md is not in the examples\n", blocks; bad = 1 }
}
inside { block = block strip($0) "\n" }
END {
    if (blocks < 2) { print "README.md has fewer than two C blocks"; bad = 1 }
    exit bad
}' examples/*.c README.md
echo "README.md shows the examples as they are"
