# Writes the decoding half as one file, for engines that copy a header instead of adding a package:
#
#   cmake -DINCLUDE_DIR=include -DLICENSE=LICENSE -DOUTPUT=basin_decode.hpp -P cmake/single_header.cmake
#
# Every header that <basin/kernels.hpp> reaches stands there once, after those that it includes. The paths under
# arch/ are included under conditions, which each of them repeats around its whole text, so order is all they need.
cmake_minimum_required(VERSION 3.24)

set(text "")
set(done "")
function(add_header name)
  if(name IN_LIST done)
    return()
  endif()
  list(APPEND done ${name})
  file(READ ${INCLUDE_DIR}/${name} code)
  string(REGEX MATCHALL "\n#include <basin/[^>\n]+>" includes "\n${code}")
  foreach(include IN LISTS includes)
    string(REGEX REPLACE "^\n#include <(.+)>$" "\\1" include "${include}")
    add_header(${include})
  endforeach()
  string(REGEX REPLACE "(^|\n)(#pragma once|#include <basin/[^>\n]+>)" "" code "${code}")
  if(code MATCHES "#[ \t]*(include[ \t]*[<\"]basin|pragma once)")
    message(FATAL_ERROR "single_header.cmake: ${name} has a line in a form that is not known here: ${CMAKE_MATCH_0}")
  endif()
  string(REGEX REPLACE "\n\n\n+" "\n\n" code "${code}")
  string(STRIP "${code}" code)
  string(APPEND text "\n// ${name}\n${code}\n")
  set(text "${text}" PARENT_SCOPE)
  set(done "${done}" PARENT_SCOPE)
endfunction()
add_header(basin/kernels.hpp)

file(STRINGS ${INCLUDE_DIR}/basin/core/version.hpp version REGEX "define BASIN_VERSION_[A-Z]+ [0-9]+")
list(TRANSFORM version REPLACE "^.* ([0-9]+)$" "\\1")
list(JOIN version "." version)
file(READ ${LICENSE} license)
string(STRIP "${license}" license)
string(REPLACE "\n" "\n// " license "${license}")
string(REPLACE "\n// \n" "\n//\n" license "${license}")
file(WRITE ${OUTPUT}.new "// basin ${version}: <basin/kernels.hpp> and all it needs in one file. Written by cmake/single_header.cmake.
// Compile with the instruction sets that the kernels may use, such as -march=native; or see docs/packaging.md.
//
// ${license}

#pragma once

#ifdef BASIN_RESTRICT
#error \"basin_decode.hpp takes the place of <basin/...>: include the one or the other\"
#endif
${text}")
file(RENAME ${OUTPUT}.new ${OUTPUT})
