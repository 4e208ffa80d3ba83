# Carries the kernel headers and the libc shim inside the program: generates a source file with their text whenever one changes.
#
# Included by the root CMakeLists.txt (adds the generated file to tinytc_codegen) and run by itself at build time as
#   cmake -DOUTPUT=x.cpp -DROOT=dir -DFILES=a,b,c -P embed.cmake
if(CMAKE_SCRIPT_MODE_FILE)
  set(text "// Generated from the headers under runtime/ and codegen/shim/.\n#include \"codegen/headers.h\"\n\n")
  string(APPEND text "namespace tinytc::detail {\n\nextern const HeaderFile embedded_files[];\nextern const std::size_t embedded_file_count;\n\n")
  string(APPEND text "const HeaderFile embedded_files[] = {\n")
  string(REPLACE "," ";" FILES "${FILES}")
  list(LENGTH FILES count)
  foreach(file IN LISTS FILES)
    file(READ "${ROOT}/${file}" content)
    string(APPEND text "{\"${file}\", R\"tinytc_header(${content})tinytc_header\"},\n")
  endforeach()
  string(APPEND text "};\nconst std::size_t embedded_file_count = ${count};\n\n}  // namespace tinytc::detail\n")
  file(WRITE "${OUTPUT}" "${text}")
  return()
endif()

file(GLOB_RECURSE embedded_headers RELATIVE ${CMAKE_SOURCE_DIR} CONFIGURE_DEPENDS runtime/*.h codegen/shim/*)
list(SORT embedded_headers)
set(embedded_source ${CMAKE_BINARY_DIR}/embedded_headers.cpp)
string(REPLACE ";" "," embedded_list "${embedded_headers}")
list(TRANSFORM embedded_headers PREPEND ${CMAKE_SOURCE_DIR}/ OUTPUT_VARIABLE embedded_paths)
add_custom_command(
  OUTPUT ${embedded_source}
  COMMAND ${CMAKE_COMMAND} -DOUTPUT=${embedded_source} -DROOT=${CMAKE_SOURCE_DIR} -DFILES=${embedded_list}
          -P ${CMAKE_CURRENT_LIST_FILE}
  DEPENDS ${embedded_paths} ${CMAKE_CURRENT_LIST_FILE}
  COMMENT "Embedding the kernel headers"
  VERBATIM)
target_sources(tinytc_codegen PRIVATE ${embedded_source})
