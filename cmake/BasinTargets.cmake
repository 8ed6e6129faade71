# The three interface targets. They carry include paths and the C++ standard, nothing else.
#
#   basin::decode   layout and kernels, for engines that only decode; needs nothing
#   basin::io       readers and writers of model files; adds nlohmann/json
#   basin::basin    the whole library but io; adds Eigen and xsimd

set(basin_include ${PROJECT_SOURCE_DIR}/include)

# The part of core/ that the decoding half may use: the direction rule in docs/design/architecture.md.
set(basin_online_core config error expected scheme scheme_text half bits_per_weight byte_reader version)

file(GLOB_RECURSE basin_decode_headers CONFIGURE_DEPENDS
  ${basin_include}/basin/layout/*.hpp ${basin_include}/basin/kernels/*.hpp)
list(TRANSFORM basin_online_core PREPEND ${basin_include}/basin/core/ OUTPUT_VARIABLE basin_core_headers)
list(TRANSFORM basin_core_headers APPEND .hpp)
list(APPEND basin_decode_headers ${basin_core_headers})
foreach(header IN ITEMS layout kernels)
  if(EXISTS ${basin_include}/basin/${header}.hpp)
    list(APPEND basin_decode_headers ${basin_include}/basin/${header}.hpp)
  endif()
endforeach()

file(GLOB_RECURSE basin_io_headers CONFIGURE_DEPENDS ${basin_include}/basin/io/*.hpp)
if(EXISTS ${basin_include}/basin/io.hpp)
  list(APPEND basin_io_headers ${basin_include}/basin/io.hpp)
endif()

file(GLOB_RECURSE basin_basin_headers CONFIGURE_DEPENDS ${basin_include}/basin/*.hpp)
list(REMOVE_ITEM basin_basin_headers ${basin_decode_headers} ${basin_io_headers})

function(basin_add_interface name)
  add_library(basin_${name} INTERFACE)
  add_library(basin::${name} ALIAS basin_${name})
  set_target_properties(basin_${name} PROPERTIES EXPORT_NAME ${name})
  target_compile_features(basin_${name} INTERFACE cxx_std_20)
  target_sources(basin_${name} INTERFACE
    FILE_SET HEADERS BASE_DIRS ${basin_include} FILES ${basin_${name}_headers})
  if(PROJECT_IS_TOP_LEVEL)
    set_target_properties(basin_${name} PROPERTIES VERIFY_INTERFACE_HEADER_SETS ON)
  endif()
endfunction()

basin_add_interface(decode)

# A host that adds our folder may have Eigen and xsimd and no JSON parser, or none: what is missing takes
# its target with it. Our own build wants everything.
foreach(name IN ITEMS basin io)
  if(PROJECT_IS_TOP_LEVEL)
    basin_require(${name})
  else()
    basin_find(${name})
  endif()
  if(BASIN_MISSING)
    message(STATUS "basin: no target basin::${name}; not found:${BASIN_MISSING}")
    continue()
  endif()
  basin_add_interface(${name})
  target_link_libraries(basin_${name} INTERFACE basin_decode)
endforeach()
if(TARGET basin_basin)
  target_link_libraries(basin_basin INTERFACE Eigen3::Eigen basin::xsimd)
endif()
if(TARGET basin_io)
  target_link_libraries(basin_io INTERFACE nlohmann_json::nlohmann_json)
endif()

# The paths that basin_add_kernels knows, plainest first: those whose file is there.
set(basin_archs "")
foreach(arch IN ITEMS scalar avx2 avx2vnni avx512bw avx512vnni avx512vbmi neon64 neon64dot)
  if(EXISTS ${basin_include}/basin/kernels/arch/${arch}.hpp)
    list(APPEND basin_archs ${arch})
  endif()
endforeach()
set_property(GLOBAL PROPERTY BASIN_KERNEL_ARCHS ${basin_archs})

# The decoding half as one file: single_header/basin_decode.hpp in the build folder.
set(basin_single_header_command ${CMAKE_COMMAND} -DINCLUDE_DIR=${basin_include} -DLICENSE=${PROJECT_SOURCE_DIR}/LICENSE
  -DOUTPUT=${PROJECT_BINARY_DIR}/single_header/basin_decode.hpp -P ${PROJECT_SOURCE_DIR}/cmake/single_header.cmake)
if(PROJECT_IS_TOP_LEVEL)
  add_custom_command(OUTPUT single_header/basin_decode.hpp COMMAND ${basin_single_header_command}
    DEPENDS ${basin_decode_headers} cmake/single_header.cmake LICENSE VERBATIM)
  add_custom_target(basin_single_header DEPENDS single_header/basin_decode.hpp)
endif()
