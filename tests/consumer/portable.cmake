# Engines that take their kernels from basin_add_kernels, both ways of finding basin.
add_executable(portable ${CMAKE_CURRENT_LIST_DIR}/portable.cpp)
target_link_libraries(portable PRIVATE basin::decode)
basin_add_kernels(portable ARCHS ALL)

# Scalar alone, in libraries that hand the kernels on: who links them has nothing to add.
add_library(static_kernels STATIC)
set_target_properties(static_kernels PROPERTIES LINKER_LANGUAGE CXX)
basin_add_kernels(static_kernels ARCHS scalar OPTIONS -Wall)
add_library(interface_kernels INTERFACE)
basin_add_kernels(interface_kernels ARCHS scalar)
foreach(kind IN ITEMS static interface)
  add_executable(portable_${kind} ${CMAKE_CURRENT_LIST_DIR}/portable.cpp)
  target_link_libraries(portable_${kind} PRIVATE basin::decode ${kind}_kernels)
endforeach()
# A shared library keeps them to itself.
add_library(portable_shared SHARED ${CMAKE_CURRENT_LIST_DIR}/portable.cpp)
target_link_libraries(portable_shared PRIVATE basin::decode)
basin_add_kernels(portable_shared ARCHS scalar)
get_target_property(definitions portable_shared INTERFACE_COMPILE_DEFINITIONS)
if(definitions)
  message(FATAL_ERROR "a shared library's kernels are offered to who links it: ${definitions}")
endif()
