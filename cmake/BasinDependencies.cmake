# Finds what basin's targets link. Serves the build and the installed package alike.
#
#   basin_require(basin | io)   stops with the remedy where a dependency is missing
#   basin_find(basin | io)      sets BASIN_MISSING to what is missing, or to nothing
#
# basin::decode needs none.

include_guard(GLOBAL)

# xsimd by its include path alone: the exported target of some versions also asks for a library
# that its package does not bring.
function(basin_find_xsimd)
  if(TARGET basin::xsimd)
    return()
  endif()
  find_path(BASIN_XSIMD_INCLUDE_DIR xsimd/xsimd.hpp DOC "The folder that holds xsimd/xsimd.hpp")
  mark_as_advanced(BASIN_XSIMD_INCLUDE_DIR)
  if(BASIN_XSIMD_INCLUDE_DIR)
    add_library(basin::xsimd INTERFACE IMPORTED GLOBAL)
    target_include_directories(basin::xsimd INTERFACE ${BASIN_XSIMD_INCLUDE_DIR})
  endif()
endfunction()

macro(basin_find component)
  set(BASIN_MISSING "")
  if("${component}" STREQUAL "basin")
    basin_find_xsimd()
    if(NOT TARGET basin::xsimd)
      string(APPEND BASIN_MISSING " xsimd >= 8.1 (libxsimd-dev; or set BASIN_XSIMD_INCLUDE_DIR)")
    endif()
    if(NOT TARGET Eigen3::Eigen)
      find_package(Eigen3 3.4 CONFIG QUIET GLOBAL)
      if(NOT TARGET Eigen3::Eigen)
        string(APPEND BASIN_MISSING " Eigen >= 3.4 (libeigen3-dev)")
      endif()
    endif()
  endif()
  if("${component}" STREQUAL "io" AND NOT TARGET nlohmann_json::nlohmann_json)
    find_package(nlohmann_json 3.10 CONFIG QUIET GLOBAL)
    if(NOT TARGET nlohmann_json::nlohmann_json)
      string(APPEND BASIN_MISSING " nlohmann/json >= 3.10 (nlohmann-json3-dev)")
    endif()
  endif()
endmacro()

macro(basin_require component)
  basin_find(${component})
  if(BASIN_MISSING)
    message(FATAL_ERROR "basin: not found:${BASIN_MISSING}. "
      "The names in parentheses are Debian and Ubuntu packages; "
      "`sh cmake/install_dependencies.sh` in basin's source folder installs them all.")
  endif()
endmacro()
