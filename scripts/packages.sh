# Sourced by run.sh, test.sh and vendors.sh: installing Debian packages, and building the command.

# install_packages PACKAGE ...: installs those that are missing; as root, or by sudo. Where neither is
# to be had it prints the command and exits.
install_packages() {
    missing=
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' ||
            missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    echo "Installing$missing"
    if [ "$(id -u)" -eq 0 ]; then
        as_root=
    elif command -v sudo >/dev/null 2>&1; then
        as_root=sudo
    else
        echo "These packages are missing, and there is no sudo. As root, run:" >&2
        echo "    apt-get update && apt-get install -y --no-install-recommends$missing" >&2
        exit 1
    fi
    $as_root apt-get update -qq
    # shellcheck disable=SC2086 # the list is words
    DEBIAN_FRONTEND=noninteractive $as_root apt-get install -y -qq --no-install-recommends $missing \
        >/dev/null
}

# What building the library and the command takes, and an OpenCL device for CPUs.
build_packages="gcc libc6-dev cmake ninja-build pkg-config ocl-icd-opencl-dev opencl-headers
    pocl-opencl-icd libjansson-dev libxxhash-dev libcairo2-dev fonts-dejavu-core"

# build_command: the library and the command in build/, configured where that has not been done.
build_command() {
    if [ ! -f build/build.ninja ]; then
        echo "Configuring"
        cmake -S . -B build -G Ninja >build.log 2>&1 || { cat build.log >&2; exit 1; }
        mv build.log build/configure.log
    fi
    echo "Building"
    cmake --build build "$@" >build/build.log 2>&1 || { cat build/build.log >&2; exit 1; }
}
