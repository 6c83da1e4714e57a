# cmake -DSOURCE=stage.cl -DOUTPUT=kernel_source.c -DSYMBOL=posemb__kernel_source
#       [-DMUTATE_FROM=text -DMUTATE_TO=text] -P embed_kernels.cmake
#
# Files are taken from the folder of SOURCE, else from kernels/.
# Writes SOURCE, a kernel or another text, as the C byte array SYMBOL (and SYMBOL_size, without the zero at the end), its #include "..." lines replaced by the files they name (from the
# folder of SOURCE) between #line marks, so that build logs of drivers name our files. MUTATE_FROM and
# MUTATE_TO change the text on the way, for the tests that prove that a changed kernel is noticed.
cmake_minimum_required(VERSION 3.20)

function(count_lines text result)
  string(LENGTH "${text}" with)
  string(REPLACE "\n" "" joined "${text}")
  string(LENGTH "${joined}" without)
  math(EXPR lines "${with} - ${without}")
  set(${result} ${lines} PARENT_SCOPE)
endfunction()

get_filename_component(folder "${SOURCE}" DIRECTORY)
get_filename_component(name "${SOURCE}" NAME)
file(READ "${SOURCE}" rest)
set(text "#line 1 \"${name}\"\n")
if(NOT name MATCHES "\\.cl$")
  set(text "") # no source of a driver's
endif()
set(line 1)
while(rest MATCHES "#include \"([a-z_]+\\.[a-z]+)\"\n")
  set(included "${CMAKE_MATCH_1}")
  set(directive "${CMAKE_MATCH_0}")
  string(FIND "${rest}" "${directive}" place)
  string(SUBSTRING "${rest}" 0 ${place} before)
  string(LENGTH "${directive}" length)
  math(EXPR place "${place} + ${length}")
  string(SUBSTRING "${rest}" ${place} -1 rest)
  count_lines("${before}" lines)
  math(EXPR line "${line} + ${lines} + 1")
  if(EXISTS "${folder}/${included}")
    file(READ "${folder}/${included}" content)
  else()
    file(READ "${CMAKE_CURRENT_LIST_DIR}/../kernels/${included}" content)
  endif()
  if(content MATCHES "#include \"")
    message(FATAL_ERROR "${included}: only ${name} may include")
  endif()
  string(APPEND text "${before}#line 1 \"${included}\"\n${content}#line ${line} \"${name}\"\n")
endwhile()
string(APPEND text "${rest}")

if(DEFINED MUTATE_FROM)
  string(REPLACE "${MUTATE_FROM}" "${MUTATE_TO}" mutated "${text}")
  if(mutated STREQUAL text)
    message(FATAL_ERROR "the kernels do not contain: ${MUTATE_FROM}")
  endif()
  set(text "${mutated}")
endif()

# The text goes through a file because only file(READ ... HEX) gives bytes.
file(WRITE "${OUTPUT}.txt" "${text}")
file(READ "${OUTPUT}.txt" bytes HEX)
file(REMOVE "${OUTPUT}.txt")
string(REGEX REPLACE "(................................)" "\\1\n" bytes "${bytes}")
string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${bytes}")
file(WRITE "${OUTPUT}"
  "/* Made by embed_kernels.cmake from ${name}. */\n"
  "#include <stddef.h>\n\n"
  "extern const char ${SYMBOL}[];\nextern const size_t ${SYMBOL}_size;\n\n"
  "const char ${SYMBOL}[] = {\n${bytes}\n0x00};\n"
  "const size_t ${SYMBOL}_size = sizeof ${SYMBOL} - 1;\n")
