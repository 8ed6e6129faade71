# An overlay port, built from the checkout that it lies in:
#
#   vcpkg install basin --overlay-ports=cmake/packaging/vcpkg
set(VCPKG_BUILD_TYPE release)  # header-only
get_filename_component(SOURCE_PATH "${CURRENT_PORT_DIR}/../../.." ABSOLUTE)

vcpkg_cmake_configure(SOURCE_PATH "${SOURCE_PATH}"
  OPTIONS -DBASIN_BUILD_TESTS=OFF -DBASIN_BUILD_BENCH=OFF -DBASIN_BUILD_EXAMPLES=OFF)
vcpkg_cmake_install()
vcpkg_cmake_config_fixup(CONFIG_PATH share/cmake/basin)
vcpkg_fixup_pkgconfig()

file(REMOVE_RECURSE "${CURRENT_PACKAGES_DIR}/share/doc")
file(INSTALL "${CURRENT_PORT_DIR}/usage" DESTINATION "${CURRENT_PACKAGES_DIR}/share/basin")
vcpkg_install_copyright(FILE_LIST "${SOURCE_PATH}/LICENSE")
