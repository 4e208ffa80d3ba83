// What the import says about models that it refuses. A case is a folder test/errors/NAME:
//   model.txt     the model in ONNX's text syntax
//   options.txt   --batch N and --dim NAME=N, if any
//   expected.txt  the whole message
// test/errors/run_cases.py drives the same folders through the program.
// With TINYTC_UPDATE_EXPECTED set in the environment the messages are written instead of compared: read the
// difference before committing.
#include <cstdlib>
#include <set>
#include <sstream>

#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

std::string read_file(const std::filesystem::path& path) {
  std::ifstream in(path);
  return {std::istreambuf_iterator<char>(in), {}};
}

ImportOptions read_options(const std::filesystem::path& path) {
  ImportOptions options;
  std::istringstream words(read_file(path));
  for (std::string key, value; words >> key >> value;) {
    const std::size_t equals = value.rfind('=');
    if (key == "--batch") options.batch = std::stoll(value);
    if (key == "--dim") options.dims[value.substr(0, equals)] = std::stoll(value.substr(equals + 1));
  }
  return options;
}

}  // namespace

TEST_CASE("every bad model gets its message") {
  std::set<std::filesystem::path> cases;
  for (const auto& entry : std::filesystem::directory_iterator(TINYTC_SOURCE_DIR "/test/errors"))
    if (std::filesystem::exists(entry.path() / "model.txt")) cases.insert(entry.path());
  REQUIRE(cases.size() >= 25);
  for (const auto& path : cases) {
    INFO(path.filename());
    const auto model = parse_text(read_file(path / "model.txt"));
    const ImportOptions options = read_options(path / "options.txt");
    const std::string message = message_of([&] { import_model(model, options); }) + "\n";
    if (std::getenv("TINYTC_UPDATE_EXPECTED") != nullptr) std::ofstream(path / "expected.txt") << message;
    CHECK(message == read_file(path / "expected.txt"));
  }
}

TEST_CASE("files that are no ONNX models are told apart") {
  const TemporaryFolder folder;
  const auto message = [&](const std::string& bytes) {
    const auto path = folder.write("m.onnx", bytes);
    return message_of([&] { import_onnx(path); });
  };
  const std::string model =
      parse_text("<ir_version: 8, opset_import: [\"\" : 21]> g (float[2] x) => (float[2] y) { y = Neg(x) }")
          .SerializeAsString();
  REQUIRE(message("") == "m.onnx: the file is empty");
  REQUIRE_THAT(message(std::string("PK\x03\x04zip", 7)),
               Catch::Contains("is not an ONNX file but a ZIP archive"));
  REQUIRE_THAT(message(std::string("\x1c\0\0\0TFL3....", 12)), Catch::Contains("a TensorFlow Lite model"));
  REQUIRE_THAT(message("version https://git-lfs.github.com/spec/v1\n"), Catch::Contains("a Git LFS pointer"));
  REQUIRE_THAT(message(model.substr(0, model.size() / 2)), Catch::Contains("is damaged or cut short: its"));
  REQUIRE_THAT(message(model + std::string(3, '\xFF')), Catch::Contains("is damaged or cut short"));
  REQUIRE_THAT(message(model.substr(0, model.size() - 4)),
               Catch::Contains("states no operator set version") || Catch::Contains("cut short"));
  REQUIRE_THAT(message_of([&] { import_onnx(folder.path() / "none.onnx"); }),
               Catch::Contains("none.onnx: no such file"));
  REQUIRE_THAT(message_of([&] { import_onnx(folder.path()); }), Catch::Contains("is not a file"));
}

TEST_CASE("cut short anywhere, a model is refused, not misread") {
  const TemporaryFolder folder;
  const std::string bytes = read_file(TINYTC_SOURCE_DIR "/test/import/data/mlp_sigmoid_legacy.onnx");
  REQUIRE(bytes.size() > 1000);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    INFO(size);
    const auto path = folder.write("m.onnx", bytes.substr(0, size));
    REQUIRE_THROWS_AS(import_onnx(path), UserError);
  }
}

}  // namespace tinytc::test
