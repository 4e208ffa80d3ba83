# What `cmake --install` and `cpack` put together: the program, the CMake package, documentation and licence.
#
# With TINYTC_STATIC=ON the archive that cpack writes runs on a Linux machine that has neither LLVM nor a compiler.
include(GNUInstallDirs)
include(CMakePackageConfigHelpers)

set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/tinytc)
configure_package_config_file(cmake/tinytcConfig.cmake.in ${CMAKE_BINARY_DIR}/package/tinytcConfig.cmake
  INSTALL_DESTINATION ${package_dir} PATH_VARS CMAKE_INSTALL_BINDIR NO_SET_AND_CHECK_MACRO)
# The package is used by cross builds, whose pointers are not of the size of those of this build.
write_basic_package_version_file(${CMAKE_BINARY_DIR}/package/tinytcConfigVersion.cmake
  COMPATIBILITY SameMinorVersion ARCH_INDEPENDENT)

if(TINYTC_STATIC)
  # Clang and LLVM are inside the program; the few small shared libraries left go beside it, all but those of the C library. An RPATH
  # (not a RUNPATH) is also searched for what those libraries need.
  set_target_properties(tinytc PROPERTIES INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}/tinytc")
  target_link_options(tinytc PRIVATE -Wl,--disable-new-dtags)
  install(TARGETS tinytc RUNTIME_DEPENDENCY_SET libraries RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
  install(RUNTIME_DEPENDENCY_SET libraries
    POST_EXCLUDE_REGEXES "/(ld-linux-x86-64|libc|libm|libdl|librt|libpthread)\\.so"
    DESTINATION ${CMAKE_INSTALL_LIBDIR}/tinytc)
else()
  install(TARGETS tinytc RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()
install(FILES ${CMAKE_BINARY_DIR}/package/tinytcConfig.cmake ${CMAKE_BINARY_DIR}/package/tinytcConfigVersion.cmake
              cmake/tinytc_add_model.cmake DESTINATION ${package_dir})
install(FILES README.md CHANGELOG.md LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
install(DIRECTORY docs/ DESTINATION ${CMAKE_INSTALL_DOCDIR}/docs)

set(CPACK_GENERATOR TGZ)
set(CPACK_PACKAGE_FILE_NAME tinytc-${PROJECT_VERSION}-linux-${CMAKE_SYSTEM_PROCESSOR})
set(CPACK_STRIP_FILES ON)
set(CPACK_VERBATIM_VARIABLES ON)
include(CPack)
