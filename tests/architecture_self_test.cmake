# Breaks the direction rule in a copy of the headers, one edge at a time, and expects a refusal.
#
#   cmake -DINCLUDE_DIR=include -DWORK_DIR=scratch -P tests/architecture_self_test.cmake
cmake_minimum_required(VERSION 3.24)

function(expect_refusal header include reason)
  file(REMOVE_RECURSE ${WORK_DIR})
  file(COPY ${INCLUDE_DIR}/basin DESTINATION ${WORK_DIR})
  file(WRITE ${WORK_DIR}/basin/${header} "#pragma once\n#include ${include}\n")
  execute_process(COMMAND ${CMAKE_COMMAND} -DINCLUDE_DIR=${WORK_DIR} -P ${CMAKE_CURRENT_LIST_DIR}/architecture_test.cmake
    RESULT_VARIABLE result ERROR_VARIABLE output OUTPUT_QUIET)
  if(result EQUAL 0 OR NOT output MATCHES "${reason}")
    message(FATAL_ERROR "${header} with ${include} was not refused for \"${reason}\":\n${output}")
  endif()
  file(REMOVE_RECURSE ${WORK_DIR})
endfunction()

expect_refusal(core/bad.hpp <basin/metric/concepts.hpp> "must not include <basin/metric/concepts.hpp>")
expect_refusal(metric/bad.hpp <basin/codebook/concepts.hpp> "must not include <basin/codebook/concepts.hpp>")
expect_refusal(search/bad.hpp <basin/init/concepts.hpp> "must not include <basin/init/concepts.hpp>")
expect_refusal(layout/bad.hpp <basin/core/types.hpp> "must not include <basin/core/types.hpp>")
expect_refusal(layout/bad.hpp <Eigen/Core> "includes Eigen")
expect_refusal(core/bad.hpp <Eigen/Core> "includes Eigen")
expect_refusal(kernels/bad.hpp <xsimd/xsimd.hpp> "includes xsimd")
expect_refusal(core/half.hpp <xsimd/xsimd.hpp> "includes xsimd")
expect_refusal(core/error.hpp <basin/core/types.hpp> "used by the decoding half")
expect_refusal(metric/bad.hpp <basin/core/absent.hpp> "does not exist")
expect_refusal(metric/bad.hpp "\"core/config.hpp\"" "own headers are included")
expect_refusal(attic/bad.hpp <basin/core/config.hpp> "is not a room")
