# Headers, find_package(basin) and pkg-config. Nothing installed depends on the architecture or on
# where it lies, so all of it goes to include/ and share/.

include(CMakePackageConfigHelpers)
include(GNUInstallDirs)

set(basin_package_dir ${CMAKE_INSTALL_DATADIR}/cmake/basin)

foreach(name IN ITEMS decode basin io)
  if(TARGET basin_${name})
    install(TARGETS basin_${name} EXPORT basinTargets
      FILE_SET HEADERS DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
  endif()
endforeach()
# Written as it is installed, so that nothing need be built before.
list(JOIN basin_single_header_command "\" \"" command)
install(CODE "execute_process(COMMAND \"${command}\" COMMAND_ERROR_IS_FATAL ANY)")
install(FILES ${PROJECT_BINARY_DIR}/single_header/basin_decode.hpp DESTINATION ${CMAKE_INSTALL_INCLUDEDIR})
install(EXPORT basinTargets NAMESPACE basin:: DESTINATION ${basin_package_dir})

configure_package_config_file(cmake/basinConfig.cmake.in ${PROJECT_BINARY_DIR}/basinConfig.cmake
  INSTALL_DESTINATION ${basin_package_dir} NO_SET_AND_CHECK_MACRO)
write_basic_package_version_file(${PROJECT_BINARY_DIR}/basinConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)
install(FILES cmake/BasinDependencies.cmake cmake/BasinKernels.cmake
  ${PROJECT_BINARY_DIR}/basinConfig.cmake ${PROJECT_BINARY_DIR}/basinConfigVersion.cmake
  DESTINATION ${basin_package_dir})

file(RELATIVE_PATH basin_pc_to_prefix
  /${CMAKE_INSTALL_DATADIR}/pkgconfig /)
set(basin_pc_requires_basin "eigen3 >= 3.4, xsimd >= 8.1")
foreach(basin_pc_name IN ITEMS basin basin-decode)
  set(basin_pc_requires ${basin_pc_requires_${basin_pc_name}})
  configure_file(cmake/basin.pc.in ${PROJECT_BINARY_DIR}/${basin_pc_name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${basin_pc_name}.pc DESTINATION ${CMAKE_INSTALL_DATADIR}/pkgconfig)
endforeach()
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
