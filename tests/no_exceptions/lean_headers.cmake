# What an engine includes to decode must compile without exceptions and run-time types, warning-free,
# and bring neither Eigen nor a header that allocates. Last, plants each such header and expects it to be seen.
#
#   cmake -DCOMPILER=g++ -DHEADER=basin/kernels.hpp -DINCLUDE_DIR=include -DWORK_DIR=scratch -P tests/no_exceptions/lean_headers.cmake
cmake_minimum_required(VERSION 3.24)

set(heavy Eigen/ "/string\n" "/vector\n" "/memory\n" "/functional\n" "/map\n" "/iostream\n" "/sstream\n" "/chrono\n")

# What `code` includes of the above.
function(find_heavy code found_variable)
  set(source ${WORK_DIR}/lean.cpp)
  file(WRITE ${source} "${code}\n")
  execute_process(COMMAND ${COMPILER} -std=c++20 -fno-exceptions -fno-rtti -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Werror
      -I${INCLUDE_DIR} -fsyntax-only ${source} RESULT_VARIABLE result ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "does not compile: ${code}\n${output}")
  endif()
  execute_process(COMMAND ${COMPILER} -std=c++20 -fno-exceptions -fno-rtti -I${INCLUDE_DIR} -M ${source}
    OUTPUT_VARIABLE headers COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[ \\\n]+" "\n" headers "${headers}")
  set(found "")
  foreach(header IN LISTS heavy)
    if(headers MATCHES "${header}")
      string(STRIP "${header}" header)
      list(APPEND found ${header})
    endif()
  endforeach()
  set(${found_variable} "${found}" PARENT_SCOPE)
endfunction()

find_heavy("#include <${HEADER}>\nint main() {}" found)
if(found)
  message(FATAL_ERROR "<${HEADER}> brings ${found}")
endif()
foreach(header IN ITEMS string vector memory)
  find_heavy("#include <${header}>\n#include <${HEADER}>\nint main() {}" found)
  if(NOT "/${header}" IN_LIST found)
    message(FATAL_ERROR "a planted <${header}> was not seen: ${found}")
  endif()
endforeach()
