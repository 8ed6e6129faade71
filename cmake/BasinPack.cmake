# `cpack` in the build folder: libbasin-dev_<version>_all.deb by -G DEB, an archive by -G TGZ.

set(CPACK_PACKAGE_NAME libbasin-dev)
set(CPACK_PACKAGE_VENDOR "basin")
set(CPACK_PACKAGE_CONTACT "The basin authors <basin@localhost>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)

set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_ARCHITECTURE all)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libeigen3-dev (>= 3.4), libxsimd-dev (>= 8.1)")
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "nlohmann-json3-dev (>= 3.10)")  # basin::io
set(CPACK_DEBIAN_PACKAGE_SUGGESTS "cmake (>= 3.24), pkg-config")

include(CPack)
