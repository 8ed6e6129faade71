# basin_docs: docs/ and the headers' comments as a site, in <build>/docs/index.html. A warning of Doxygen is an error.
find_program(BASIN_DOXYGEN doxygen)
find_package(Python3 COMPONENTS Interpreter QUIET)
set(BASIN_DOCS_DIR ${CMAKE_BINARY_DIR}/docs)
if(BASIN_DOXYGEN AND Python3_Interpreter_FOUND AND EXISTS ${PROJECT_SOURCE_DIR}/docs/site/Doxyfile.in)  # not in every archive
  configure_file(docs/site/Doxyfile.in ${BASIN_DOCS_DIR}/Doxyfile @ONLY)
  add_custom_target(basin_docs
    COMMAND ${Python3_EXECUTABLE} -B ${PROJECT_SOURCE_DIR}/docs/site/pages.py ${PROJECT_SOURCE_DIR}/docs ${BASIN_DOCS_DIR}/pages
    COMMAND ${BASIN_DOXYGEN} ${BASIN_DOCS_DIR}/Doxyfile
    COMMAND ${CMAKE_COMMAND} -E echo "The site: ${BASIN_DOCS_DIR}/index.html"
    COMMENT "Building the documentation" VERBATIM)
else()
  add_custom_target(basin_docs
    COMMAND ${CMAKE_COMMAND} -E echo "basin_docs needs doxygen and python3: install them and configure again"
    COMMAND ${CMAKE_COMMAND} -E false VERBATIM)
endif()
