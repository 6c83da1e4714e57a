#!/bin/sh
# Make stand-ins for the CUDA libraries that PyTorch's wheel is linked with, so that it can be imported
# without them (they take gigabytes). Nothing of CUDA runs: their functions only fail.
#
# usage: stubs.sh SITE-PACKAGES FOLDER     (needs cc, and the binutils nm and readelf)
set -eu
torch=$1/torch/lib
runtime=$(dirname "$(find "$1/nvidia" -name 'libcudart.so.*' | head -n 1)")
folder=$2
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$folder"

# Functions of CUDA that PyTorch asks for and neither it nor the runtime has.
nm -D --undefined-only "$torch"/*.so |
    sed -n 's/.* \(_*\(cu\|nv\|nccl\)[A-Za-z0-9_]*\)\(@.*\)\{0,1\}$/\1/p' | sort -u >"$work/wanted"
nm -D --defined-only "$torch"/*.so "$runtime"/libcudart.so.* |
    awk 'NF == 3 { sub("@.*", "", $3); print $3 }' | sort -u >"$work/present"
comm -23 "$work/wanted" "$work/present" |
    sed 's/.*/int &(void); int &(void) { return 1; }/' >"$work/stubs.c"

# A version of a symbol has the name of its library, but for one.
readelf -d "$torch"/*.so | sed -n 's/.*(NEEDED).*\[\(lib\(cu\|nv\|nccl\).*\)\]/\1/p' | sort -u |
    while read -r library; do
        if [ -e "$torch/$library" ] || [ -e "$runtime/$library" ]; then
            continue
        fi
        case $library in
        libnvshmem_host.*) version=NVSHMEM ;;
        *) version=$library ;;
        esac
        echo "$version { *; };" >"$work/versions"
        cc -w -fno-builtin -shared -o "$folder/$library" "$work/stubs.c" \
            -Wl,-soname,"$library" -Wl,--version-script="$work/versions"
    done
ln -sf "$runtime"/libcudart.so.* "$folder/"
