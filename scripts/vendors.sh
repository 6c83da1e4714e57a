#!/bin/sh
# More OpenCL implementations for CPUs, in the build folder, each with an ICD folder of its own, so that
# nothing of the machine changes but Debian packages that building them takes.
#
# usage: scripts/vendors.sh [intel|pocl|all]
#   intel  Intel's OpenCL runtime for CPUs, from wheels under Intel's own licence (276 MB to fetch, 0.9 GB
#          on disk; x86-64 alone)
#   pocl   PoCL 6.0, built from Debian 13's source against LLVM 16 (2.5 MB to fetch, beside apt's lists and
#          LLVM; 4 minutes of building; CMAKE_BUILD_PARALLEL_LEVEL says how much at a time)
#   all    both, the default
set -eu
cd "$(dirname "$0")/.."
. scripts/packages.sh

fail() {
    echo "vendors.sh: $*" >&2
    exit 1
}

# is_complete NAME PIN: this very choice has been installed here before; paths inside do not survive a move.
is_complete() {
    [ "$(cat "build/vendors/$1/complete" 2>/dev/null)" = "$PWD $2" ]
}

mark_complete() {
    echo "$PWD $2" >"build/vendors/$1/complete"
}

# register NAME LIBRARY: the ICD folder.
register() {
    [ -f "$2" ] || fail "$2 is not there after installing $1"
    mkdir -p "build/vendors/icd/$1"
    echo "$PWD/$2" >"build/vendors/icd/$1/$1.icd"
}

# check NAME PLATFORM: that posemb finds the implementation there and its bits are right.
check() {
    folder=build/vendors/icd/$1
    mkdir -p "build/vendors/$1-cache"
    echo "Checking $1"
    OCL_ICD_VENDORS=$folder POCL_CACHE_DIR=$PWD/build/vendors/$1-cache POSEMB_CACHE=off build/posemb devices \
        >"build/vendors/$1.log" 2>&1 || { cat "build/vendors/$1.log" >&2; fail "posemb fails on $1"; }
    cat "build/vendors/$1.log"
    grep -qF "$2" "build/vendors/$1.log" || fail "$folder shows no device of \"$2\""
    echo "To use it:"
    echo "    OCL_ICD_VENDORS=$folder build/posemb verify"
    echo "To test on it:"
    echo "    cmake --preset release -DPOSEMB_TEST_ICDS=$1=$PWD/$folder && cmake --build --preset release"
    echo "    ctest --test-dir build -L '^$1\$'"
}

install_intel() {
    [ "$(uname -m)" = x86_64 ] || fail "Intel's runtime is for x86-64, this machine is $(uname -m)"
    pin=$(sha256sum <scripts/vendors-requirements.txt)
    if ! is_complete intel "$pin"; then
        install_packages python3 python3-venv
        rm -rf build/vendors/intel
        echo "Fetching Intel's OpenCL runtime (276 MB)"
        python3 -m venv build/vendors/intel || fail "python3 -m venv build/vendors/intel failed"
        build/vendors/intel/bin/python -m pip install --quiet --disable-pip-version-check \
            --no-cache-dir --no-compile --no-deps --only-binary :all: --require-hashes \
            -r scripts/vendors-requirements.txt ||
            fail "pip could not install what scripts/vendors-requirements.txt names"
        mark_complete intel "$pin"
    fi
    register intel build/vendors/intel/lib/libintelocl.so
}

pocl_tarball=pocl_6.0.orig.tar.gz
pocl_sha256=de9710223fc1855f833dbbf42ea2681e06aa8ec0464f0201104dc80a74dfd1f2
pocl_llvm=16

# The sources of Debian 13 for apt, in a state of its own: that of the machine stays as it is.
fetch_pocl() {
    apt=$PWD/build/vendors/apt
    keys=/usr/share/keyrings/debian-archive-keyring.gpg
    # shellcheck disable=SC2016 # apt fills them in
    archive=$(apt-get indextargets --format '$(LABEL) $(REPO_URI)' | sed -n 's/^Debian //p' | head -n 1)
    [ -n "$archive" ] || fail "apt knows no archive of Debian's to fetch PoCL's source from"
    [ -f "$keys" ] || fail "$keys is not there (package debian-archive-keyring)"
    mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
    echo "deb-src [signed-by=$keys] $archive trixie main" >"$apt/sources.list"
    cat >"$apt/apt.conf" <<CONFIGURATION
Dir::Etc::sourcelist "$apt/sources.list";
Dir::Etc::sourceparts "-";
Dir::State::Lists "$apt/lists";
Dir::Cache "$apt/cache";
Acquire::Languages "none";
APT::Sandbox::User "";
CONFIGURATION
    echo "Fetching PoCL's source"
    (
        export APT_CONFIG="$apt/apt.conf"
        cd build/vendors/pocl-source && apt-get update -qq && apt-get source -qq --download-only --tar-only pocl
    ) || fail "apt could not fetch the source of pocl from Debian 13"
    found=$(cd build/vendors/pocl-source && ls)
    [ "$found" = "$pocl_tarball" ] || fail "Debian 13 has $found, not $pocl_tarball"
    echo "$pocl_sha256  build/vendors/pocl-source/$pocl_tarball" | sha256sum --check --quiet ||
        fail "$pocl_tarball is not the one that was tested"
}

# The level of x86-64 that the kernels may use. LLVM 16 does not know all processors by name.
processor_level() {
    flags=" $(sed -n 's/^flags[^:]*: //p' /proc/cpuinfo | head -n 1) "
    for flag in avx2 bmi1 bmi2 f16c fma movbe abm; do
        case "$flags" in *" $flag "*) ;; *) echo x86-64; return ;; esac
    done
    for flag in avx512f avx512bw avx512cd avx512dq avx512vl; do
        case "$flags" in *" $flag "*) ;; *) echo x86-64-v3; return ;; esac
    done
    echo x86-64-v4
}

# The threaded device alone, for this machine.
build_pocl() {
    source=$PWD/build/vendors/pocl-source
    target=$PWD/build/vendors/pocl
    mkdir "$source/tree"
    tar -xzf "$source/$pocl_tarball" -C "$source/tree" --strip-components=1
    echo "Building PoCL"
    # Its configuration leaves files where it runs.
    (
        cd "$source" && cmake -G Ninja -S tree -B "$target-build" -DCMAKE_BUILD_TYPE=Release \
            -DCMAKE_INSTALL_PREFIX="$target" -DWITH_LLVM_CONFIG=/usr/bin/llvm-config-$pocl_llvm \
            -DLLC_HOST_CPU="$level" -DENABLE_ICD=ON -DENABLE_TESTS=OFF -DENABLE_EXAMPLES=OFF \
            -DENABLE_POCLCC=OFF &&
            nice -n 19 cmake --build "$target-build" &&
            cmake --install "$target-build"
    ) >"$target-build.log" 2>&1 || {
        tail -n 40 "$target-build.log" >&2
        fail "building PoCL failed; the whole log is in build/vendors/pocl-build.log"
    }
}

install_pocl() {
    [ "$(uname -m)" = x86_64 ] || fail "PoCL is built for x86-64 here, this machine is $(uname -m)"
    level=$(processor_level)
    if ! is_complete pocl "$pocl_sha256 $level"; then
        install_packages g++ clang-$pocl_llvm llvm-$pocl_llvm-dev libclang-$pocl_llvm-dev \
            libclang-cpp$pocl_llvm-dev libhwloc-dev zlib1g-dev libzstd-dev libxml2-dev \
            debian-archive-keyring
        rm -rf build/vendors/pocl build/vendors/pocl-build build/vendors/pocl-source
        mkdir -p build/vendors/pocl-source
        fetch_pocl
        build_pocl
        mark_complete pocl "$pocl_sha256 $level"
        rm -rf build/vendors/pocl-build build/vendors/pocl-source build/vendors/apt
    fi
    register pocl "$(echo build/vendors/pocl/lib*/libpocl.so build/vendors/pocl/lib/*/libpocl.so |
        tr ' ' '\n' | grep -v '\*' | head -n 1)"
}

wanted=${1-all}
case "$wanted" in
intel | pocl | all) ;;
--help | -h)
    sed -n '2,11s/^# \{0,1\}//p' "$0"
    exit 0
    ;;
*)
    echo "vendors.sh: \"$wanted\" is neither intel, pocl nor all (see scripts/vendors.sh --help)" >&2
    exit 2
    ;;
esac
if [ $# -gt 1 ]; then
    echo "vendors.sh: one name is needed, or none (see scripts/vendors.sh --help)" >&2
    exit 2
fi

# shellcheck disable=SC2086 # the list is words
install_packages $build_packages
build_command --target posemb_command
if [ "$wanted" != pocl ]; then
    install_intel
    check intel "Intel(R) OpenCL"
fi
if [ "$wanted" != intel ]; then
    install_pocl
    check pocl "Portable Computing Language"
fi
