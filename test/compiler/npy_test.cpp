// Arrays as numpy writes them, and headers that it would not write.
#include "compiler/npy.h"

#include "test/compiler/npy_files.h"

using namespace tinytc;

namespace {

std::vector<double> numbers_of_file(const std::string& name) {
  const Array array = parse_npy(bytes_of(text_of(numpy_file(name))));
  std::vector<double> numbers;
  for (std::size_t i = 0; i < static_cast<std::size_t>(element_count(array.shape)); ++i) numbers.push_back(number_at(array, i));
  return numbers;
}

std::string refusal(const std::string& header, const std::string& elements = std::string(24, '\0')) {
  return refusal_of([&] { parse_npy(bytes_of(npy_text(header, elements))); });
}

}  // namespace

TEST_CASE("every type and byte order of numpy's is read") {
  for (const char* name : {"little_f4", "big_f4", "little_f8", "big_f8", "i1", "u1", "little_i2", "big_i2", "little_u2", "little_i4", "little_u4",
                           "little_i8", "big_i8", "little_u8", "version2", "version3"}) {
    INFO(name);
    CHECK(numbers_of_file(std::string(name) + ".npy") == std::vector<double>{0, 1, 2, 3, 4, 5});
  }
  CHECK(numbers_of_file("bool.npy") == std::vector<double>{0, 1, 1, 0});
  CHECK(numbers_of_file("scalar.npy") == std::vector<double>{7});
}

TEST_CASE("an array in Fortran order comes row-major") {
  const Array array = parse_npy(bytes_of(text_of(numpy_file("fortran.npy"))));
  CHECK(array.shape == Shape{2, 3, 4});
  CHECK(array.dtype == DType::f32);
  for (std::size_t i = 0; i < 24; ++i) CHECK(number_at(array, i) == static_cast<double>(i));
}

TEST_CASE("elements that are no plain numbers are refused by name") {
  const auto of_file = [](const char* name) { return refusal_of([&] { parse_npy(bytes_of(text_of(numpy_file(name)))); }); };
  CHECK(of_file("half.npy") == "its elements are '<f2', expected float32, float64, integers or booleans");
  CHECK(of_file("complex.npy") == "its elements are '<c8', expected float32, float64, integers or booleans");
  CHECK(of_file("object.npy") == "its elements are '|O', expected float32, float64, integers or booleans");
  CHECK(of_file("fields.npy") == "it holds records of several fields, expected plain numbers");
}

TEST_CASE("a header must say exactly what the format says") {
  CHECK(refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3)}").empty());
  CHECK(refusal("{'shape':(6,),'fortran_order':True,'descr':'<f4',}\n").empty());
  CHECK(refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 9223372036854775807)}", "").empty());
  for (const char* header :
       {"", "{", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'fortran_order': False}", "{'descr': '<f4', 'fortran_order': 0, 'shape': (6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': 6}", "{'descr': '<f4', 'fortran_order': False, 'shape': (-6,)}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6.0,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (6}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (6,), 'shape': (6,)}", "{'descr': '<f4', 'fortran_order': False, 'more': (6,)}",
        "{'descr': '<f4' 'fortran_order': False, 'shape': (6,)}", "{'descr': '<f4', 'fortran_order': False, 'shape': (6,)} 1",
        "{'descr': '<f4, 'fortran_order': False, 'shape': (6,)}", "{'descr': '', 'fortran_order': False, 'shape': (6,)}",
        "{'descr': '<f4', 'descr': '<f4', 'shape': (6,)}", "{'descr': '|f4', 'fortran_order': False, 'shape': (6,)}"}) {
    INFO(header);
    CHECK_FALSE(refusal(header).empty());
  }
}

TEST_CASE("elements must be as many as the shape says") {
  CHECK(refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (7,)}").find("truncated") != std::string::npos);
  CHECK(refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (5,)}") == "not a valid .npy array: 24 bytes of elements, its shape needs 20");
  // Their product is 6 modulo 2^64.
  CHECK(refusal("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387905, 2, 3)}").find("truncated") != std::string::npos);
}
