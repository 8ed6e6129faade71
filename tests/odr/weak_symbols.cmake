# Kernels of different instruction sets must not share a function: the linker keeps one of them, and
# it may be the one that the processor cannot run. Compiles SOURCE, the kernels of path ARCH, and refuses
# weak functions and objects whose name does not hold the path's tag.
#
#   cmake -DCOMPILER=g++ -DNM=nm -DSOURCE=avx2.cpp -DARCH=avx2 "-DFLAGS=-mavx2 -mfma" -DINCLUDE_DIR=include
#     -DWORK_DIR=scratch -P tests/odr/weak_symbols.cmake
cmake_minimum_required(VERSION 3.24)

separate_arguments(FLAGS)
file(MAKE_DIRECTORY ${WORK_DIR})
set(problems "")
foreach(optimization IN ITEMS -O0 -O2)
  set(object ${WORK_DIR}/${ARCH}${optimization}.o)
  execute_process(COMMAND ${COMPILER} -std=c++20 ${optimization} ${FLAGS} -I${INCLUDE_DIR} -c ${SOURCE} -o ${object}
    RESULT_VARIABLE result ERROR_VARIABLE output)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "${SOURCE} does not compile:\n${output}")
  endif()
  execute_process(COMMAND ${NM} -C ${object} OUTPUT_VARIABLE symbols COMMAND_ERROR_IS_FATAL ANY)
  string(REGEX REPLACE "[][;]" "_" symbols "${symbols}")
  string(REGEX MATCHALL "[0-9a-f]+ [WVui] [^\n]+" weak "${symbols}")
  if(NOT weak MATCHES "kernel_set<basin::kernels::${ARCH}>")
    message(FATAL_ERROR "${SOURCE} ${optimization} has no kernels of ${ARCH}:\n${symbols}")
  endif()
  foreach(symbol IN LISTS weak)
    if(NOT symbol MATCHES "kernels::${ARCH}[^a-z0-9_]")
      string(REGEX REPLACE "^[0-9a-f]+ " "" symbol "${symbol}")
      list(APPEND problems "${optimization}: ${symbol}")
    endif()
  endforeach()
endforeach()
if(problems)
  list(JOIN problems "\n  " text)
  message(FATAL_ERROR "weak symbols that do not name ${ARCH}; inline them with BASIN_ALWAYS_INLINE, and use builtins, not std::\n  ${text}\n")
endif()
