// In-process compilation: calls, the kernels' headers, errors, several programs at once.
#include "codegen/jit.h"

#include <catch2/catch.hpp>
#include <thread>
#include <vector>

#include "compiler/diagnostics.h"

using namespace tinytc;

namespace {

const char* const source = R"(
#include <cstddef>
#include <cstring>
#include "runtime/base.h"
static float memory[8];
extern "C" float dot(const float* a, const float* b, int n) {
  float sum = 0;
  for (int i = 0; i < n; ++i) sum = tinytc::mul_add(sum, a[i], b[i]);
  return sum;
}
extern "C" double twice(double x) { return 2 * x; }
extern "C" float keep(const float* x) {
  std::memcpy(memory, x, sizeof memory);
  return memory[7];
}
extern "C" const int version = 3;
)";

std::string error_of(const std::string& text, const std::string& symbol) {
  try {
    CompiledProgram(text).symbol(symbol);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("compiled functions compute") {
  const float a[8] = {1, 2, 3, 4, 5, 6, 7, 8};
  for (int level = 0; level <= 3; ++level) {
    CompiledProgram program(source, level);
    CHECK(program.function<float(const float*, const float*, int)>("dot")(a, a, 8) == 204.0f);
    CHECK(program.function<double(double)>("twice")(0.1) == 0.2);
    CHECK(program.function<float(const float*)>("keep")(a) == 8.0f);
    CHECK(*static_cast<const int*>(program.symbol("version")) == 3);
  }
}

TEST_CASE("compiled programs do not share names") {
  CompiledProgram one("extern \"C\" int f() { return 1; }");
  CompiledProgram two("extern \"C\" int f() { return 2; }");
  CHECK(one.function<int()>("f")() == 1);
  CHECK(two.function<int()>("f")() == 2);
  one = std::move(two);
  CHECK(one.function<int()>("f")() == 2);
}

TEST_CASE("programs are compiled in several threads at once") {
  std::vector<int> results(4, 0);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([i, &results] {
      const CompiledProgram program("extern \"C\" int f() { return " + std::to_string(10 + i) + "; }");
      results[static_cast<std::size_t>(i)] = program.function<int()>("f")();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(results == std::vector<int>{10, 11, 12, 13});
}

TEST_CASE("errors of compiled programs name their cause") {
  CHECK_THAT(error_of("int f() {\n  return unknown;\n}\n", "f"),
             Catch::Contains("program.cpp:2: use of undeclared identifier 'unknown'") &&
                 Catch::Contains("return unknown;"));
  CHECK_THAT(error_of("#include <vector>\n", "f"), Catch::Contains("'vector' file not found"));
  CHECK_THAT(error_of("int f();\nextern \"C\" int g() { return f(); }\n", "g"),
             Catch::Contains("Symbols not found"));
  CHECK_THAT(error_of("int x;\n", "nothing"), Catch::Contains("'nothing'"));
  CHECK_THROWS_AS(CompiledProgram("int x;", 4), InternalError);
}
