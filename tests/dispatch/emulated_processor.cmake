# The same program on an emulated processor: it has the paths of that one, takes the best of them, gives
# the bits that the best path gives here, and refuses a path of a better processor.
cmake_minimum_required(VERSION 3.24)

function(run output_variable)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  set(${output_variable} "${output}" PARENT_SCOPE)
endfunction()

unset(ENV{BASIN_ARCH})
run(here ${REPORT})
run(there ${EMULATOR} ${REPORT})
if(NOT there MATCHES "^paths (${PATHS})\n" OR NOT there MATCHES "^paths [^\n]*(scalar|avx2)\nchosen (scalar|avx2)\n" OR
    NOT CMAKE_MATCH_1 STREQUAL CMAKE_MATCH_2)
  message(FATAL_ERROR "not the best of ${PATHS}:\n${there}")
endif()
string(REGEX MATCHALL "bits [^\n]+" here_bits "${here}")
string(REGEX MATCHALL "bits [^\n]+" there_bits "${there}")
list(LENGTH here_bits count)
if(NOT count EQUAL 4 OR NOT "${here_bits}" STREQUAL "${there_bits}")
  message(FATAL_ERROR "other bits here:\n${here}and in the emulator:\n${there}")
endif()

execute_process(COMMAND ${CMAKE_COMMAND} -E env BASIN_ARCH=avx512bw ${EMULATOR} ${REPORT}
  RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE errors)
if(NOT result EQUAL 2 OR NOT errors MATCHES "this processor cannot run this path; possible here: scalar( avx2)?\n$")
  message(FATAL_ERROR "avx512bw is not refused clearly (${result}):\n${errors}")
endif()
