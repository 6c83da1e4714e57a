#!/bin/bash
# Check that clang-format and clang-tidy (version 14, whose output the sources follow) find nothing, and
# that scripts in Python can be parsed.
set -euo pipefail
cd "$(dirname "$0")/.."

echo "== clang-format"
git ls-files '*.c' '*.h' '*.cpp' '*.cl' '*.clh' | grep -v -e '^kernels/.*clh\?$' -e '\.cl$' -e '^kernels/coefficients.h$' |
    xargs clang-format-14 --dry-run -Werror
echo "== clang-tidy"
cmake --preset release >/dev/null
cmake --build build --target posemb_command posemb_load_static >/dev/null
git ls-files 'src/*.c' 'formats/*.c' 'load/*.c' 'tools/*.c' 'bench/*.c' 'experiment/*.c' 'examples/*.c' |
    xargs -P 2 -n 4 clang-tidy-14 --quiet -p build
if command -v python3 >/dev/null; then
    echo "== Python"
    git ls-files '*.py' | python3 -c '
import ast, sys
for path in sys.stdin.read().split():
    ast.parse(open(path, encoding="utf-8").read(), path)'
fi
