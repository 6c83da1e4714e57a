#!/usr/bin/env bash
# test_install.sh CMAKE BUILD_FOLDER CONSUMER_FOLDER CC CXX VERSION: installs the build to a temporary
# prefix and uses it as others would: find_package() and pkg-config, C and C++, shared and static.
set -eu
cmake=$1
build=$2
consumer=$3
cc=$4
cxx=$5
version=$6
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
prefix=$folder/prefix

fail()
{
    echo "FAILED: $*"
    exit 1
}

"$cmake" --install "$build" --prefix "$prefix" >"$folder/install.log"
library=$(find "$prefix" -name libposemb.so -printf '%h\n')
[ -n "$library" ] || fail "no libposemb.so was installed"

for file in include/posemb/posemb.h include/posemb/posemb_cl.h; do
    [ -f "$prefix/$file" ] || fail "$file was not installed"
done
for file in libposemb.a libposemb.so.0 "libposemb.so.$version" pkgconfig/posemb.pc \
    cmake/posemb/posembConfig.cmake cmake/posemb/posembConfigVersion.cmake; do
    [ -e "$library/$file" ] || fail "$file was not installed"
done
stray=$(find "$prefix/include" -type f ! -name posemb.h ! -name posemb_cl.h)
[ -z "$stray" ] || fail "installed headers beyond the public ones: $stray"
if grep -rqF "$build" "$library/cmake" "$library/pkgconfig"; then
    fail "an installed file names the build folder"
fi

# What the shared library shows and wants.
readelf -d "$library/libposemb.so" | grep -q 'SONAME.*\[libposemb\.so\.0\]' ||
    fail "the SONAME is not libposemb.so.0"
names=$(nm -D --defined-only "$library/libposemb.so" | awk '{ print $NF }' | sed 's/@.*//')
[ -n "$names" ] || fail "the library exports nothing"
bad=$(grep -Ev '^posemb_[a-z0-9]' <<<"$names" || true)
[ -z "$bad" ] || fail "exported, but not public: $bad"
declared=$(sed -nE 's/^POSEMB_API .*[ *](posemb_[a-z_]+)\(.*/\1/p' "$prefix"/include/posemb/*.h)
[ "$(sort <<<"$declared")" = "$(sort <<<"$names")" ] ||
    fail "declared and exported names differ: $(diff <(sort <<<"$declared") <(sort <<<"$names"))"
for archive in libposemb.so libposemb.a; do
    options=(--undefined-only)
    [ "$archive" = libposemb.so ] && options+=(-D)
    wanted=$(nm "${options[@]}" "$library/$archive" | awk '{ print $NF }' | sed 's/@.*//')
    output=$(grep -Ex '(__)?v?f?(printf|puts|putc|putchar|fputs|fputc)(_chk)?|perror|stdout|stderr|getenv|fwrite|(_IO_)?putc|abort|exit' <<<"$wanted" || true)
    [ -z "$output" ] || fail "$archive uses $output"
done

# find_package()
"$cmake" -G Ninja -S "$consumer" -B "$folder/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DPOSEMB_WANTED="${version%.*}" \
    >"$folder/configure.log" 2>&1 || { cat "$folder/configure.log"; fail "find_package"; }
"$cmake" --build "$folder/consumer" >"$folder/build.log" 2>&1 ||
    { cat "$folder/build.log"; fail "the consumer does not build"; }
for program in shared_c shared_cpp static_c static_cpp; do
    "$folder/consumer/$program" || fail "$program"
done
ldd "$folder/consumer/shared_c" | grep -q "$prefix.*libposemb\.so\.0\|libposemb\.so\.0.*$prefix" ||
    fail "shared_c does not use the installed library"
if ldd "$folder/consumer/static_c" | grep -q libposemb; then
    fail "static_c uses the shared library"
fi

# A version that is not there must be refused.
if "$cmake" -S "$consumer" -B "$folder/later" -DCMAKE_PREFIX_PATH="$prefix" -DPOSEMB_WANTED=99.0 \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" >"$folder/later.log" 2>&1; then
    fail "find_package(posemb 99.0) was satisfied"
fi

# pkg-config
export PKG_CONFIG_PATH=$library/pkgconfig
[ "$(pkg-config --modversion posemb)" = "$version" ] || fail "the version of posemb.pc"
read -ra flags <<<"$(pkg-config --cflags posemb)"
read -ra shared <<<"$(pkg-config --libs posemb)"
read -ra static <<<"$(pkg-config --static --libs posemb | sed 's/-lposemb/-l:libposemb.a/')"
"$cc" -std=c11 "$consumer/consumer.c" "${flags[@]}" "${shared[@]}" -o "$folder/pc_shared_c"
"$cxx" -std=c++11 "$consumer/consumer.cpp" "${flags[@]}" "${shared[@]}" -o "$folder/pc_shared_cpp"
"$cc" -std=c11 "$consumer/consumer.c" "${flags[@]}" "${static[@]}" -o "$folder/pc_static_c"
"$cxx" -std=c++11 "$consumer/consumer.cpp" "${flags[@]}" "${static[@]}" -o "$folder/pc_static_cpp"
for program in pc_shared_c pc_shared_cpp pc_static_c pc_static_cpp; do
    LD_LIBRARY_PATH=$library "$folder/$program" || fail "$program"
done
echo "install: all well"
