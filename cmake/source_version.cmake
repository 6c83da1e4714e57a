# cmake -DSOURCE=folder -DOUTPUT=source_version.h -P source_version.cmake
#
# Writes the commit that SOURCE is at, "-dirty" after it where files were changed, or "unknown" where it is not the
# top of a git repository (an archive). OUTPUT keeps its time where that has not changed.
set(version unknown)
find_package(Git QUIET)
if(Git_FOUND)
  execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} rev-parse --show-prefix HEAD
                  OUTPUT_VARIABLE found ERROR_QUIET RESULT_VARIABLE failed)
  # An empty prefix: SOURCE is the top itself, not a folder in somebody else's repository.
  if(NOT failed AND found MATCHES "^\n([0-9a-f]+)\n$")
    set(version ${CMAKE_MATCH_1})
    execute_process(COMMAND ${GIT_EXECUTABLE} -C ${SOURCE} status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changes ERROR_QUIET)
    if(changes)
      string(APPEND version -dirty)
    endif()
  endif()
endif()
set(text "#define POSEMB_SOURCE_VERSION \"${version}\"\n")
set(old)
if(EXISTS ${OUTPUT})
  file(READ ${OUTPUT} old)
endif()
if(NOT text STREQUAL old)
  file(WRITE ${OUTPUT} "${text}")
endif()
