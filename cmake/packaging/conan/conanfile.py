import os
import re

from conan import ConanFile
from conan.tools.cmake import CMake, CMakeDeps, CMakeToolchain
from conan.tools.files import copy, load


class Basin(ConanFile):
    name = "basin"
    description = "Quantizes the weights of language models to 2 and 3 bits, header-only C++20"
    license = "MIT"
    package_type = "header-library"
    settings = "os", "arch", "compiler", "build_type"
    options = {"system_dependencies": [True, False]}  # Eigen, xsimd and nlohmann/json of the system, not of conan
    default_options = {"system_dependencies": False}

    @property
    def _root(self):
        return os.path.join(self.recipe_folder, os.pardir, os.pardir, os.pardir)

    def set_version(self):
        text = load(self, os.path.join(self._root, "include", "basin", "core", "version.hpp"))
        self.version = ".".join(re.findall(r"define BASIN_VERSION_\w+ (\d+)", text))

    def export_sources(self):
        for pattern in "CMakeLists.txt", "LICENSE", "cmake/*", "include/*":
            copy(self, pattern, self._root, self.export_sources_folder)

    def requirements(self):
        if not self.options.system_dependencies:
            self.requires("eigen/3.4.0")
            self.requires("xsimd/13.0.0")
            self.requires("nlohmann_json/3.11.3")

    def package_id(self):
        self.info.clear()

    def generate(self):
        toolchain = CMakeToolchain(self)
        for part in "TESTS", "BENCH", "EXAMPLES":
            toolchain.cache_variables[f"BASIN_BUILD_{part}"] = False
        toolchain.generate()
        if not self.options.system_dependencies:
            CMakeDeps(self).generate()

    def build(self):
        CMake(self).configure()

    def package(self):
        CMake(self).install()

    def package_info(self):
        # find_package(basin) finds the package's own files: they bring basin_add_kernels.
        self.cpp_info.set_property("cmake_find_mode", "none")
        self.cpp_info.builddirs = [os.path.join("share", "cmake", "basin")]
        self.cpp_info.bindirs = []
        self.cpp_info.libdirs = []
