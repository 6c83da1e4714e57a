#!/bin/bash
# Install what the tests need, build with gcc, clang and the sanitizers, and run every test.
#
# usage: scripts/test.sh [--all-drivers] [--lint]
#   --all-drivers  test on rusticl too (installs Mesa's OpenCL)
#   --lint         check the format and run clang-tidy too
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/packages.sh

rusticl=OFF
lint=no
for option in "$@"; do
    case "$option" in
    --all-drivers) rusticl=ON ;;
    --lint) lint=yes ;;
    --help | -h)
        sed -n '2,6s/^# \{0,1\}//p' "$0"
        exit 0
        ;;
    *)
        echo "test.sh: \"$option\" is not an option (see scripts/test.sh --help)" >&2
        exit 2
        ;;
    esac
done

# shellcheck disable=SC2086 # the lists are words
install_packages $build_packages g++ clang oclgrind libcmocka-dev libmpfr-dev libgmp-dev binutils libxml2-utils
[ "$rusticl" = OFF ] || install_packages mesa-opencl-icd
[ "$lint" = no ] || install_packages clang-format-14 clang-tidy-14

if [ "$lint" = yes ]; then
    scripts/lint.sh
fi

log=$(mktemp)
trap 'rm -f "$log"' EXIT
failed=

# build_and_test PRESET RUSTICL: everything in one build folder; remembers whether a test failed.
build_and_test() {
    local preset=$1 folder
    folder=build
    [ "$preset" = release ] || folder=build-$preset
    echo "== $preset: building in $folder"
    cmake --preset "$preset" -DPOSEMB_TEST_RUSTICL="$2" -DPOSEMB_TEST_CACHES="$caches" >"$folder.log" 2>&1 ||
        { cat "$folder.log"; exit 1; }
    rm -f "$folder.log"
    cmake --build --preset "$preset" >"$folder/build.log" 2>&1 || { cat "$folder/build.log"; exit 1; }
    rm -rf "$folder"/posemb-pocl-cache* "$folder"/mesa-cache
    echo "== $preset: testing"
    ctest --preset "$preset" -j 2 2>&1 | tee -a "$log" || failed="$failed $preset"
}

# Every run starts cold. The kernels are the same in all builds, so the first compiles them for all: under the
# sanitizers a driver takes ten times as long.
caches=$PWD/build/caches
rm -rf "$caches"
build_and_test release "$rusticl"
build_and_test clang OFF
build_and_test debug OFF

echo
echo "The slowest ten:"
sed -n 's/.*Test *#[0-9]*: \([^ ]*\) .* \([0-9.]*\) sec$/\2 s  \1/p' "$log" | sort -rn | head -n 10
echo
if [ -n "$failed" ]; then
    echo "Failed in:$failed"
fi
grep -E 'tests passed' "$log"
[ -z "$failed" ]
