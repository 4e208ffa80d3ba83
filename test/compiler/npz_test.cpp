// Archives of numpy's, whole and damaged.
#include <sys/resource.h>

#include "test/compiler/npy_files.h"

using namespace tinytc;

TEST_CASE("archives of numpy's are read, packed or not") {
  for (const char* name : {"plain.npz", "compressed.npz"}) {
    const std::vector<Array> arrays = read_arrays(numpy_file(name));
    REQUIRE(arrays.size() == 2);
    CHECK(arrays[0].name == "x");
    CHECK(arrays[0].shape == Shape{3, 4});
    for (std::size_t i = 0; i < 12; ++i) CHECK(number_at(arrays[0], i) == static_cast<double>(i));
    CHECK(arrays[1].dtype == DType::i64);
    CHECK(number_at(arrays[1], 2) == 2);
  }
  CHECK(read_arrays(numpy_file("big_f4.npy"))[0].name.empty());
}

TEST_CASE("what is no file of numpy's is refused") {
  const auto refusal = [](const std::filesystem::path& path) { return refusal_of([&] { read_arrays(path); }); };
  CHECK(refusal("absent.npz") == "absent.npz: cannot be read");
  CHECK(refusal(numpy_file("make.py")) == "make.py: is neither an .npz nor an .npy file");
  CHECK(refusal(std::filesystem::path(TINYTC_SOURCE_DIR) / "test").find("is a folder") != std::string::npos);
  CHECK(refusal(TemporaryFile("").path()).find("is empty") != std::string::npos);
  CHECK(refusal(TemporaryFile("PK\x03\x04").path()).find("is truncated or no zip archive") != std::string::npos);
}

TEST_CASE("a file that is cut off anywhere is refused") {
  for (const char* name : {"plain.npz", "compressed.npz", "big_i8.npy", "version2.npy"}) {
    const std::string whole = text_of(numpy_file(name));
    for (std::size_t size = 0; size < whole.size(); ++size) {
      INFO(name << " cut to " << size << " bytes");
      const TemporaryFile file(whole.substr(0, size));
      CHECK_FALSE(refusal_of([&] { read_arrays(file.path()); }).empty());
    }
  }
}

TEST_CASE("a flipped bit of an archive is refused or changes no element") {
  const rlimit limit{rlim_t{4} << 30, rlim_t{4} << 30};  // bytes; a hostile size must not become an allocation
  REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
  for (const char* name : {"plain.npz", "compressed.npz"}) {
    const std::vector<Array> expected = read_arrays(numpy_file(name));
    const std::string whole = text_of(numpy_file(name));
    int refused = 0;
    for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
      INFO(name << ", bit " << bit);
      std::string damaged = whole;
      damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
      const TemporaryFile file(damaged);
      std::vector<Array> arrays;
      if (!refusal_of([&] { arrays = read_arrays(file.path()); }).empty()) {
        ++refused;
        continue;
      }
      REQUIRE(arrays.size() == expected.size());
      for (std::size_t i = 0; i < arrays.size(); ++i) {
        CHECK(arrays[i].shape == expected[i].shape);
        CHECK(arrays[i].data == expected[i].data);
      }
    }
    // What can change unseen is dates, versions, attributes and the names in the directory.
    CHECK(refused > static_cast<int>(whole.size()) * 8 / 2);
  }
}

TEST_CASE("a flipped bit of a plain array is refused or read, never worse") {
  const std::string whole = text_of(numpy_file("fortran.npy"));
  for (std::size_t bit = 0; bit < whole.size() * 8; ++bit) {
    std::string damaged = whole;
    damaged[bit / 8] = static_cast<char>(damaged[bit / 8] ^ (1 << bit % 8));
    const TemporaryFile file(damaged);
    const bool is_refused = !refusal_of([&] { read_arrays(file.path()); }).empty();
    if (bit / 8 < 8) CHECK(is_refused);  // magic and version
    if (bit / 8 >= 128) CHECK_FALSE(is_refused);  // elements
  }
}
