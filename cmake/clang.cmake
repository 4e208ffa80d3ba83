# Finds Clang and LLVM 19 and offers them as the interface target `tinytc_clang`.
#
# Shared libraries by default (links in under a second). With -DTINYTC_STATIC=ON every Clang and LLVM archive goes into the
# program, so that the result runs where neither is installed. Debian spreads the CMake files over clang-19, libclang-19-dev and
# llvm-19-dev; `find_package(LLVM 19)` does not match 19.1, and without NO_DEFAULT_PATH an older installed Clang wins.
find_package(LLVM 19.1 REQUIRED CONFIG)
find_package(Clang REQUIRED CONFIG PATHS ${LLVM_INSTALL_PREFIX}/lib/cmake/clang NO_DEFAULT_PATH)

add_library(tinytc_clang INTERFACE)
target_include_directories(tinytc_clang SYSTEM INTERFACE ${CLANG_INCLUDE_DIRS} ${LLVM_INCLUDE_DIRS})

if(TINYTC_STATIC)
  # Clang's archives name the shared LLVM library as a dependency. Next to LLVM's archives it would be a second copy, which
  # aborts at start-up ("Option registered more than once").
  foreach(library IN LISTS CLANG_EXPORTED_TARGETS)
    if(TARGET ${library})
      get_target_property(dependencies ${library} INTERFACE_LINK_LIBRARIES)
      if(dependencies)
        list(REMOVE_ITEM dependencies LLVM)
        set_property(TARGET ${library} PROPERTY INTERFACE_LINK_LIBRARIES ${dependencies})
      endif()
    endif()
  endforeach()
  llvm_map_components_to_libnames(llvm_archives core support option frontendopenmp frontendhlsl frontenddriver
                                  coverage lto extensions passes codegen analysis orcjit X86 ARM RISCV)
  # LLVM's support library names a theorem prover that only Clang's static analyzer calls.
  target_link_options(tinytc_clang INTERFACE -Wl,--as-needed -Wl,--gc-sections)
  target_link_libraries(tinytc_clang INTERFACE clangCodeGen clangFrontend clangTooling clangFormat clangSema clangAST clangBasic
                        ${llvm_archives} Polly PollyISL)
else()
  target_link_libraries(tinytc_clang INTERFACE clang-cpp LLVM)
endif()
