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

for file in include/posemb/posemb.h include/posemb/posemb_cl.h include/posemb/posemb_load.h \
    include/posemb/posemb_train.h include/posemb/posemb_train_cl.h; do
    [ -f "$prefix/$file" ] || fail "$file was not installed"
done
for file in libposemb.a libposemb.so.0 "libposemb.so.$version" pkgconfig/posemb.pc \
    libposemb_load.a libposemb_load.so libposemb_load.so.0 "libposemb_load.so.$version" \
    pkgconfig/posemb_load.pc cmake/posemb/posembConfig.cmake cmake/posemb/posembConfigVersion.cmake; do
    [ -e "$library/$file" ] || fail "$file was not installed"
done
stray=$(find "$prefix/include" -type f ! -name posemb.h ! -name posemb_cl.h \
    ! -name posemb_load.h ! -name posemb_train.h ! -name posemb_train_cl.h)
[ -z "$stray" ] || fail "installed headers beyond the public ones: $stray"
if grep -rqF "$build" "$library/cmake" "$library/pkgconfig"; then
    fail "an installed file names the build folder"
fi

# What the libraries show and want: library NAME HEADER...
check_library()
{
    local name=$1 names bad declared
    shift
    readelf -d "$library/lib$name.so" | grep -q "SONAME.*\[lib$name\.so\.0\]" ||
        fail "the SONAME is not lib$name.so.0"
    names=$(nm -D --defined-only "$library/lib$name.so" | awk '{ print $NF }' | sed 's/@.*//')
    [ -n "$names" ] || fail "lib$name.so exports nothing"
    bad=$(grep -Ev '^posemb_[a-z0-9]' <<<"$names" || true)
    [ -z "$bad" ] || fail "exported by lib$name.so, but not public: $bad"
    declared=$(cd "$prefix/include/posemb" && sed -nE 's/^POSEMB_API .*[ *](posemb_[a-z_]+)\(.*/\1/p' "$@")
    [ "$(sort <<<"$declared")" = "$(sort <<<"$names")" ] ||
        fail "declared and exported names differ: $(diff <(sort <<<"$declared") <(sort <<<"$names"))"
    # Programs have names of their own.
    bad=$(nm -g --defined-only "$library/lib$name.a" | awk 'NF == 3 { print $3 }' |
        grep -Ev '^posemb_' || true)
    [ -z "$bad" ] || fail "lib$name.a has names without posemb_ (see load/format_names.h): $bad"
    for archive in "lib$name.so" "lib$name.a"; do
        options=(--undefined-only)
        [ "$archive" = "lib$name.so" ] && options+=(-D)
        wanted=$(nm "${options[@]}" "$library/$archive" | awk '{ print $NF }' | sed 's/@.*//')
        output=$(grep -Ex "$forbidden" <<<"$wanted" || true)
        [ -z "$output" ] || fail "$archive uses $output"
    done
}
forbidden='(__)?v?f?(printf|puts|putc|putchar|fputs|fputc)(_chk)?|perror|stdout|stderr|getenv|fwrite|(_IO_)?putc|abort|exit'
check_library posemb posemb.h posemb_cl.h posemb_train.h posemb_train_cl.h
check_library posemb_load posemb_load.h

# find_package()
"$cmake" -G Ninja -S "$consumer" -B "$folder/consumer" -DCMAKE_PREFIX_PATH="$prefix" \
    -DCMAKE_C_COMPILER="$cc" -DCMAKE_CXX_COMPILER="$cxx" -DPOSEMB_WANTED="${version%.*}" \
    >"$folder/configure.log" 2>&1 || { cat "$folder/configure.log"; fail "find_package"; }
"$cmake" --build "$folder/consumer" >"$folder/build.log" 2>&1 ||
    { cat "$folder/build.log"; fail "the consumer does not build"; }
for program in shared_c shared_cpp static_c static_cpp; do
    "$folder/consumer/$program" || fail "$program"
    "$folder/consumer/load_$program" || fail "load_$program"
done
ldd "$folder/consumer/shared_c" | grep -q "$prefix.*libposemb\.so\.0\|libposemb\.so\.0.*$prefix" ||
    fail "shared_c does not use the installed library"
for program in static_c load_static_c; do
    if ldd "$folder/consumer/$program" | grep -q libposemb; then
        fail "$program uses the shared library"
    fi
done
if ldd "$folder/consumer/shared_c" | grep -q jansson; then
    fail "posemb without posemb_load needs jansson"
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
read -ra shared <<<"$(pkg-config --libs posemb_load)"
read -ra static <<<"$(pkg-config --static --libs posemb_load |
    sed 's/-lposemb_load/-l:libposemb_load.a/; s/-lposemb /-l:libposemb.a /')"
"$cc" -std=c11 "$consumer/load.c" "${flags[@]}" "${shared[@]}" -o "$folder/pc_load_shared_c"
"$cc" -std=c11 "$consumer/load.c" "${flags[@]}" "${static[@]}" -o "$folder/pc_load_static_c"
ldd "$folder/pc_load_static_c" | grep -q libposemb && fail "pc_load_static_c uses a shared library"
for program in pc_load_shared_c pc_load_static_c pc_shared_c pc_shared_cpp pc_static_c pc_static_cpp; do
    LD_LIBRARY_PATH=$library "$folder/$program" || fail "$program"
done
echo "install: all well"
