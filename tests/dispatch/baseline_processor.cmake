# The same program on a processor without AVX, emulated: it takes the scalar path and gives the bits
# that the best path gives here, and refuses a path of a better processor.
cmake_minimum_required(VERSION 3.24)

function(run output_variable)
  execute_process(COMMAND ${ARGN} OUTPUT_VARIABLE output COMMAND_ERROR_IS_FATAL ANY)
  set(${output_variable} "${output}" PARENT_SCOPE)
endfunction()

unset(ENV{BASIN_ARCH})
run(here ${REPORT})
run(plain ${EMULATOR} ${REPORT})
if(NOT plain MATCHES "^paths scalar\nchosen scalar\n")
  message(FATAL_ERROR "not the scalar path:\n${plain}")
endif()
string(REGEX MATCHALL "bits [^\n]+" here_bits "${here}")
string(REGEX MATCHALL "bits [^\n]+" plain_bits "${plain}")
list(LENGTH here_bits count)
if(NOT count EQUAL 3 OR NOT "${here_bits}" STREQUAL "${plain_bits}")
  message(FATAL_ERROR "other bits here:\n${here}and in the emulator:\n${plain}")
endif()

execute_process(COMMAND ${CMAKE_COMMAND} -E env BASIN_ARCH=avx512bw ${EMULATOR} ${REPORT}
  RESULT_VARIABLE result OUTPUT_QUIET ERROR_VARIABLE errors)
if(NOT result EQUAL 2 OR NOT errors MATCHES "this processor cannot run this path; possible here: scalar\n$")
  message(FATAL_ERROR "avx512bw is not refused clearly (${result}):\n${errors}")
endif()
