#!/usr/bin/env bash
# test_layers.sh SOURCE_FOLDER: what depends on what, and what must not be written anywhere, because it
# would change bits.
set -u
cd "$1" || exit 1
failed=0

# forbid WHAT PATTERN FILE...: no line of the files matches.
forbid()
{
    local what=$1 pattern=$2 file
    shift 2
    for file in "$@"; do
        if [ ! -f "$file" ]; then
            echo "FAILED: $file is not there"
            failed=1
        elif grep -nHE "$pattern" "$file"; then
            echo "FAILED: $what"
            failed=1
        fi
    done
}

# Code without its comments, in a folder of its own.
bare=$(mktemp -d)
trap 'rm -rf "$bare"' EXIT
without_comments()
{
    mkdir -p "$bare/$(dirname "$1")"
    perl -0777 -pe 's{/\*.*?\*/}{ my $t = $&; $t =~ s/[^\n]//g; $t }gse; s{//[^\n]*}{}g' "$1" >"$bare/$1"
}
for file in src/*.[ch] kernels/* formats/*.[ch] load/*.[ch] include/posemb/*.h; do
    without_comments "$file"
done

# What needs no OpenCL does not see it.
no_opencl=(include/posemb/posemb.h include/posemb/posemb_train.h)
for name in backward_layout backward_params blob cache checked_math compare convention fail fixed_point frequency launch optimizer_params params reference reference_backward \
    reference_optimizer split status tuning tuning_entry tuning_parse; do
    for file in src/$name.c src/$name.h; do
        [ -f "$file" ] && no_opencl+=("$file")
    done
done
for file in src/blob.c src/cache.c src/compare.c src/convention.c src/fail.c src/fixed_point.c src/frequency.c src/launch.c \
    src/params.c src/reference.c src/split.c src/status.c src/tuning.c src/tuning_parse.c src/checked_math.h; do
    [ -f "$file" ] || { echo "FAILED: $file is not there"; failed=1; }
done
forbid "this file may not use OpenCL" \
    '#[[:space:]]*include.*(CL/|posemb_(cl|train_cl)\.h|"(backward|cl_error|device|engine|enqueue|places|plan|program|queue|warmup)\.h")|\bcl[A-Z][A-Za-z]*\(' \
    "${no_opencl[@]}"

# Readers of files know the library's vocabulary, not its devices.
forbid "formats/ may not use OpenCL" '#[[:space:]]*include.*(CL/|posemb_(cl|load)\.h)' formats/*.[ch]
forbid "formats/ and load/ may not include tools, bench or tests" \
    '#[[:space:]]*include.*(tools|bench|tests|support|options|inputs)[/.]' formats/*.[ch] load/*.[ch]
forbid "load/ uses of posemb what is public, and the helpers that it has copies of" \
    '#[[:space:]]*include "(engine|plan|device|program|launch|params|desc|enqueue|reference)\.h"' \
    load/*.[ch] formats/*.[ch]

# The library depends on nothing above it.
forbid "src/ may not include tools, formats, bench or tests" \
    '#[[:space:]]*include.*(tools|formats|bench|tests|support)/' src/*.[ch]

# Kernels include only one another; host headers of their own are under #else in launch.h.
for file in kernels/*.cl kernels/*.clh; do
    while read -r included; do
        if [ ! -f "kernels/$included" ]; then
            echo "FAILED: $file includes \"$included\", which is not in kernels/"
            failed=1
        fi
    done < <(sed -nE 's/^[[:space:]]*#[[:space:]]*include[[:space:]]*[<"]([^>"]*)[>"].*/\1/p' "$file")
done

cd "$bare" || exit 1
forbid "functions of vendors decide these bits" \
    '\b(mad|mad24|mad_sat|sin|cos|sincos|sinpi|cospi|tan|exp|exp2|exp10|log2?|pow[nr]?|sqrt|rsqrt|recip|divide|rootn|(native|half)_[a-z0-9_]+)[[:space:]]*\(' \
    kernels/*
forbid "fast-math changes bits" \
    'fast-relaxed-math|unsafe-math|finite-math-only|mad-enable|denorms-are-zero|no-signed-zeros|single-precision-constant|ffast-math|fassociative-math|FP_CONTRACT[[:space:]]+ON' \
    src/*.[ch] kernels/*
forbid "the libraries print nothing" \
    '\b(printf|fprintf|vprintf|vfprintf|puts|fputs|putchar|perror)[[:space:]]*\(' src/*.[ch] load/*.[ch]
forbid "only cache.c reads the environment" '\b(getenv|secure_getenv|setenv|environ)\b' \
    $(ls src/*.[ch] load/*.[ch] | grep -v '^src/cache\.c$')
cd "$1" || exit 1
forbid "fast-math changes bits" 'ffast-math|funsafe-math|Ofast|ffp-contract=(fast|on)' \
    CMakeLists.txt CMakePresets.json
for file in kernels/*.cl; do
    grep -q 'FP_CONTRACT OFF' "$file" || { echo "FAILED: $file: FP_CONTRACT OFF"; failed=1; }
done
grep -q 'ffp-contract=off' CMakeLists.txt || { echo "FAILED: CMakeLists.txt: -ffp-contract=off"; failed=1; }

[ "$failed" -eq 0 ] && echo "layers: all well"
exit "$failed"
