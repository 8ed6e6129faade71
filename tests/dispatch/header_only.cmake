# A file compiled for this processor and a program with basin_add_kernels multiply to the same bits.
cmake_minimum_required(VERSION 3.24)

unset(ENV{BASIN_ARCH})
execute_process(COMMAND ${REPORT} OUTPUT_VARIABLE files COMMAND_ERROR_IS_FATAL ANY)
execute_process(COMMAND ${HEADER_ONLY} OUTPUT_VARIABLE header_only COMMAND_ERROR_IS_FATAL ANY)
string(REGEX MATCH "bits .*" files_bits "${files}")
string(REGEX MATCH "bits .*" header_only_bits "${header_only}")
if(files_bits STREQUAL "" OR NOT files_bits STREQUAL header_only_bits)
  message(FATAL_ERROR "other bits with basin_add_kernels:\n${files}and header-only:\n${header_only}")
endif()
