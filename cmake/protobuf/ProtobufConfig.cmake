# ONNX's package asks for Protobuf's own package file, which Debian's libprotobuf-dev does not carry: CMake's find module stands in.
find_package(Protobuf MODULE REQUIRED)
