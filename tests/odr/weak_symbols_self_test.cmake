# Plants functions that two instruction sets would share, and expects weak_symbols.cmake to see them.
cmake_minimum_required(VERSION 3.24)

function(expect_refusal code reason)
  set(source ${WORK_DIR}/planted.cpp)
  file(WRITE ${source} "#include \"${SOURCE}\"\n#include <cmath>\n${code}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DCOMPILER=${COMPILER} -DNM=${NM} -DSOURCE=${source} -DARCH=${ARCH} "-DFLAGS=${FLAGS}"
      -DINCLUDE_DIR=${INCLUDE_DIR} -DWORK_DIR=${WORK_DIR} -P ${CMAKE_CURRENT_LIST_DIR}/weak_symbols.cmake
    RESULT_VARIABLE result ERROR_VARIABLE output OUTPUT_QUIET)
  string(REGEX REPLACE "[ \n]+" " " output "${output}")
  if(result EQUAL 0 OR NOT output MATCHES "${reason}")
    message(FATAL_ERROR "not refused for \"${reason}\": ${code}\n${output}")
  endif()
endfunction()

expect_refusal("inline int shared(int a) { return a + 1; } int (*taken)(int) = &shared;" "-O2: W shared\\(int\\)")
expect_refusal("inline int shared = 0; int* taken() { return &shared; }" "-O2: [Vu] shared")
expect_refusal("float call(float a) { return std::fabs(a); }" "-O0: W std::fabs\\(float\\)")
# The tag of another path does not help.
expect_refusal("template <class> int other() { return 1; } template int other<basin::kernels::neon64>();" "W int other<basin::kernels::neon64>")
