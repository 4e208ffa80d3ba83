# tinytc_add_model(TARGET_NAME MODEL file.onnx TARGET name
#                  [NAME identifier] [TRAIN selection] [LOSS loss] [OPTIMIZER optimizer]
#                  [QUANTIZE int8 CALIBRATE samples.npz [CALIBRATION method]] [KEEP_FLOAT names...] [INPUT_TYPE type] [OUTPUT_TYPE type]
#                  [DATA files...] [OUTPUT_DIRECTORY dir] [ARGS arguments...])
#
# Compiles an ONNX model with tinytc and adds the result to TARGET_NAME, an executable or library of the same CMakeLists.txt: NAME.cpp
# to its sources, the folder of NAME.h to its include folders. The model is compiled again when it, its external data or tinytc
# itself changes.
#
#   MODEL             the model; relative paths start at the current source folder
#   TARGET            microcontroller (tinytc --list-targets), or the path of a .yaml file of one's own
#   NAME              file name and C++ namespace; default: from the model's file name, as tinytc alone does (--print-name)
#   TRAIN, LOSS, OPTIMIZER   as tinytc --train, --loss, --optimizer; without TRAIN the model only predicts
#   QUANTIZE, CALIBRATE, CALIBRATION, KEEP_FLOAT, INPUT_TYPE, OUTPUT_TYPE   as tinytc --quantize and so on; the model is compiled
#                     again when CALIBRATE's file changes
#   DATA              files that the model refers to (external data, calibration); MODEL.data is found by itself
#   OUTPUT_DIRECTORY  where the files go; default: a folder of the build tree
#   ARGS              further options of tinytc, one argument each: ARGS --prefer size --ram 96K
function(tinytc_add_model target)
  cmake_parse_arguments(PARSE_ARGV 1 arg ""
    "MODEL;TARGET;NAME;TRAIN;LOSS;OPTIMIZER;QUANTIZE;CALIBRATE;CALIBRATION;INPUT_TYPE;OUTPUT_TYPE;OUTPUT_DIRECTORY" "KEEP_FLOAT;DATA;ARGS")
  if(arg_UNPARSED_ARGUMENTS OR arg_KEYWORDS_MISSING_VALUES)
    message(FATAL_ERROR "tinytc_add_model: not understood: ${arg_UNPARSED_ARGUMENTS} ${arg_KEYWORDS_MISSING_VALUES}")
  endif()
  if(NOT TARGET ${target})
    message(FATAL_ERROR "tinytc_add_model: there is no target ${target}; call add_executable first")
  endif()
  foreach(required MODEL TARGET)
    if(NOT arg_${required})
      message(FATAL_ERROR "tinytc_add_model: ${required} is missing")
    endif()
  endforeach()

  get_filename_component(model "${arg_MODEL}" ABSOLUTE)
  if(NOT arg_NAME)
    get_target_property(program tinytc::tinytc LOCATION)
    execute_process(COMMAND "${program}" "${model}" --print-name
      OUTPUT_VARIABLE arg_NAME OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_VARIABLE error RESULT_VARIABLE result)
    if(NOT result EQUAL 0)
      message(FATAL_ERROR "tinytc_add_model: ${program} does not name ${arg_MODEL}: ${result}\n${error}")
    endif()
  endif()
  if(NOT arg_OUTPUT_DIRECTORY)
    set(arg_OUTPUT_DIRECTORY tinytc/${target})
  endif()
  get_filename_component(folder "${arg_OUTPUT_DIRECTORY}" ABSOLUTE BASE_DIR "${CMAKE_CURRENT_BINARY_DIR}")

  # What else the result depends on.
  set(depends "${model}")
  foreach(file IN LISTS arg_DATA)
    get_filename_component(file "${file}" ABSOLUTE)
    list(APPEND depends "${file}")
  endforeach()
  if(EXISTS "${model}.data")
    list(APPEND depends "${model}.data")
  endif()
  set(options "")
  if(arg_TARGET MATCHES "\\.yaml$")
    get_filename_component(arg_TARGET "${arg_TARGET}" ABSOLUTE)
    list(APPEND depends "${arg_TARGET}")
    list(APPEND options --target-file "${arg_TARGET}")
  else()
    list(APPEND options --target "${arg_TARGET}")
  endif()
  if(arg_CALIBRATE)
    get_filename_component(arg_CALIBRATE "${arg_CALIBRATE}" ABSOLUTE)
    list(APPEND depends "${arg_CALIBRATE}")
  endif()
  list(JOIN arg_KEEP_FLOAT "," arg_KEEP_FLOAT)
  foreach(option TRAIN LOSS OPTIMIZER QUANTIZE CALIBRATE CALIBRATION KEEP_FLOAT INPUT_TYPE OUTPUT_TYPE)
    if(arg_${option})
      string(TOLOWER "--${option}" flag)
      string(REPLACE "_" "-" flag "${flag}")
      list(APPEND options "${flag}" "${arg_${option}}")
    endif()
  endforeach()

  set(base "${folder}/${arg_NAME}")
  add_custom_command(
    OUTPUT "${base}.cpp" "${base}.h"
    BYPRODUCTS "${base}.report.json"
    COMMAND tinytc::tinytc "${model}" ${options} --name "${arg_NAME}" ${arg_ARGS} -o "${folder}"
    DEPENDS ${depends} tinytc::tinytc
    COMMENT "Compiling ${arg_MODEL} for ${arg_TARGET}"
    VERBATIM)
  target_sources(${target} PRIVATE "${base}.cpp" "${base}.h")
  target_include_directories(${target} PRIVATE "${folder}")
endfunction()
