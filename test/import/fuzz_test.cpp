// Damaged files: whatever bits are wrong, the import ends with a Graph or a UserError, soon, and without much
// memory. A crash or a hang leaves the file that caused it in the temporary folder, whose name the failing
// test prints.
#include <sys/resource.h>

#include <cstdint>
#include <iostream>

#include "test/import/model_text.h"

namespace tinytc::test {

namespace {

/// Knuth's MMIX generator; the tests must draw the same numbers everywhere.
struct Random {
  std::uint64_t state;
  std::uint32_t below(std::uint32_t limit) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::uint32_t>(((state >> 32) * limit) >> 32);
  }
};

/// One of: cut short, bits flipped, bytes replaced, bytes removed, bytes put in.
std::string damage(std::string bytes, Random& random) {
  const auto position = [&] { return random.below(static_cast<std::uint32_t>(bytes.size())); };
  const std::uint32_t count = 1U << random.below(5);
  const std::uint32_t kind = random.below(8);
  if (kind == 0) return bytes.substr(0, position());
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t at = position();
    if (kind <= 4) bytes[at] = static_cast<char>(bytes[at] ^ (1 << random.below(8)));
    if (kind == 5) bytes[at] = static_cast<char>(random.below(256));
    if (kind == 6 && bytes.size() > 64) bytes.erase(at, 1 + random.below(8));
    if (kind == 7) bytes.insert(at, 1 + random.below(8), static_cast<char>(random.below(256)));
  }
  return bytes;
}

}  // namespace

TEST_CASE("damaged files are refused or read, never worse") {
  constexpr rlim_t kAddressSpace = rlim_t{4} << 30;  // bytes; a hostile extent must not become an allocation
  constexpr unsigned kSeconds = 120;                 // for all of them; they take about one
  const rlimit limit{kAddressSpace, kAddressSpace};
  REQUIRE(setrlimit(RLIMIT_AS, &limit) == 0);
  alarm(kSeconds);
  const TemporaryFolder folder;
  std::cerr << "fuzzing in " << folder.path() << '\n';
  Random random{20240607};
  int refused = 0, read = 0;
  for (const char* name :
       {"cnn_bn_legacy", "encoder_layer_legacy", "mlp_opset9", "loss_sce", "tied_dynamo"}) {
    std::ifstream in(std::string(TINYTC_SOURCE_DIR "/test/import/data/") + name + ".onnx", std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(in), {}};
    REQUIRE(!bytes.empty());
    for (int i = 0; i < 200; ++i) {
      const auto path = folder.write("damaged.onnx", damage(bytes, random));
      try {
        import_onnx(path);
        ++read;
      } catch (const UserError&) {
        ++refused;
      }
    }
  }
  alarm(0);
  CHECK(refused > 300);  // most damage is noticed
  CHECK(read > 10);      // a flipped bit in a weight is not
}

}  // namespace tinytc::test
