# Cross compilation for the nRF52840's Cortex-M4F with Debian's gcc-arm-none-eabi.
set(CMAKE_SYSTEM_NAME Generic)
set(CMAKE_SYSTEM_PROCESSOR cortex-m4)
set(CMAKE_CXX_COMPILER arm-none-eabi-g++)
set(CMAKE_CXX_FLAGS_INIT "-mcpu=cortex-m4 -mthumb -mfloat-abi=hard -mfpu=fpv4-sp-d16 -ffunction-sections -fdata-sections")
# A bare board has no operating system that CMake's trial programs could be linked for.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
