#!/bin/sh
# Compare posemb with other packages that run a transformer's embedding stage on a CPU, see README.md.
#
# usage: bench/peers/run.sh [--quick] [--json FILE] [--device SELECTOR] [--repeats N] [--keep-memory]
#                           [--stage NAME] [--shape B,S,D] [--rows cold|hot]
#        bench/peers/run.sh --python SCRIPT ...     run another script with the same packages
# The first time it fetches 750 MB of packages into build/peers.
set -eu
cd "$(dirname "$0")/../.."
. scripts/packages.sh

peers=bench/peers
folder=build/peers
threads=2

case "${1-}" in
--help | -h)
    sed -n '2,7s/^# \{0,1\}//p' "$peers/run.sh"
    exit 0
    ;;
esac

# make_environment: a virtual environment with the packages of requirements.txt, made anew when that
# file has changed.
make_environment() {
    cmp -s "$peers/requirements.txt" "$folder/complete" && return 0
    echo "Fetching packages (750 MB)" >&2
    rm -rf "$folder"
    python3 -m venv "$folder/env"
    "$folder/env/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps \
        --only-binary :all: -r "$peers/requirements.txt"
    packages=$("$folder/env/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
    sh "$peers/stubs.sh" "$packages" "$folder/stubs"
    cp "$peers/requirements.txt" "$folder/complete"
}

# shellcheck disable=SC2086 # the list is words
install_packages $build_packages g++ python3 python3-dev python3-venv
make_environment

# Two threads for everybody: PoCL, OpenMP, XLA (NPROC), OpenBLAS. PyTorch compiles in its own process, whose
# helpers would take time later.
LD_LIBRARY_PATH="$PWD/$folder/stubs${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
POCL_MAX_PTHREAD_COUNT=$threads
POCL_CPU_MAX_CU_COUNT=$threads
OMP_NUM_THREADS=$threads
OPENBLAS_NUM_THREADS=$threads
NPROC=$threads
TORCHINDUCTOR_CACHE_DIR=$PWD/$folder/compiled
TORCHINDUCTOR_COMPILE_THREADS=1
export LD_LIBRARY_PATH POCL_MAX_PTHREAD_COUNT POCL_CPU_MAX_CU_COUNT OMP_NUM_THREADS \
    OPENBLAS_NUM_THREADS NPROC TORCHINDUCTOR_CACHE_DIR TORCHINDUCTOR_COMPILE_THREADS

if [ "${1-}" = --python ]; then
    shift
    exec "$folder/env/bin/python" "$@"
fi
[ -f build/build.ninja ] || cmake -S . -B build -G Ninja >/dev/null
cmake --build build --target posemb_stage_peer >/dev/null
exec "$folder/env/bin/python" "$peers/compare.py" \
    --library build/bench/peers/libposemb_stage_peer.so --threads "$threads" "$@"
