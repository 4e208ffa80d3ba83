// Slices of the corner cases in data/: what comes along, what stays out, and that the result compiles where
// it has to.
#include "codegen/slice.h"

#include <catch2/catch.hpp>

#include "codegen/headers.h"
#include "codegen/source_tree.h"
#include "compiler/diagnostics.h"
#include "test/codegen/codegen_support.h"

using namespace tinytc;
using namespace tinytc::test;

namespace {

const char* const program = R"(
extern const float table[4];
TINYTC_NOINLINE float layer(const float* x) {
  constexpr tinytc::OldStyle shape{1, 2};
  return tinytc::nasty(shape, x, 4) + table[0];
}
)";

SliceRequest request(const std::string& text) {
  SliceRequest made;
  made.headers = {"data/nasty.h"};
  made.program = text;
  made.arms = slice_arms(cortex_m4());
  made.own_headers = data_headers();
  return made;
}

/// The emitted file in small: the slice and the program in a model's namespaces.
std::string emitted(const SliceResult& sliced, const std::string& model) {
  std::string text;
  for (const std::string& include : sliced.includes) text += "#include " + include + "\n";
  text += "namespace " + model + " {\nnamespace {\n" + sliced.text;
  std::string calls = program;
  const std::string declared = "extern const float table[4];";
  calls.replace(calls.find(declared), declared.size(), "const float table[4] = {1, 2, 3, 4};");
  return text + calls + "}\nfloat run(const float* x);\nfloat run(const float* x) { return layer(x); }\n}\n";
}

std::size_t count(const std::string& text, const std::string& part) {
  std::size_t found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string::npos; at += part.size()) ++found;
  return found;
}

const std::string warnings = " -c -Wall -Wextra -Wconversion -Wshadow -Werror ";

void compiles(const std::string& compiler, const std::string& text) {
  if (!installed(compiler.substr(0, compiler.find(' ')))) {
    WARN(compiler + " is not installed: not checked");
    return;
  }
  bool failed = false;
  const std::string output = run_on(compiler + warnings + "{} -o {.o}", text, failed);
  INFO(compiler << "\n" << output << "\n" << text);
  CHECK_FALSE(failed);
}

std::string error_of(const SliceRequest& wrong) {
  try {
    slice(wrong);
  } catch (const InternalError& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a slice holds what the program reaches and nothing else") {
  const SliceResult sliced = slice(request(program));
  INFO(sliced.text);
  CHECK(sliced.includes == std::vector<std::string>{"<cstddef>", "<cstdint>"});
  for (const char* part : {"struct Later;",
                           "NASTY_MAKE(made_by_macro, 3)",
                           "[[gnu::always_inline, nodiscard]]",
                           "second_of_two = 2;  // both come",
                           "} OldStyle;  // a C typedef",
                           "enum class Colour",
                           "inline namespace version_1 {",
                           "namespace inner = detail;",
                           "using Index = int;  // an alias",
                           "struct Chosen<float>",
                           "struct EnableIf<true, T>",
                           "default_step = 4",
                           "inline int Later::defined_below()",
                           "operator<(const Later& a",
                           "int by_name(int x)",
                           "float by_name(float x)",
                           "extern \"C\" {",
                           "#ifndef NASTY_LIMIT",
                           "// The default of a constant that a build may override.\n#ifndef",
                           "#define NASTY_ONCE(x) \\\n  (x)",
                           "/// Sums x four ways.\ntemplate <typename T>\nTINYTC_INLINE T nasty("}) {
    INFO(part);
    CHECK(count(sliced.text, part) == 1);
  }
  for (const char* part : {"not reached", "not_reached", "NOT_REACHED", "max_of", "A banner", "double pick",
                           "#include", "TEST_NASTY_H", "double rounded", "TINYTC_DOUBLE_REGISTER"}) {
    INFO(part);
    CHECK(count(sliced.text, part) == 0);
  }
}

TEST_CASE("a slice keeps every arm of an #if that some configuration reaches") {
  const SliceResult sliced = slice(request(program));
  INFO(sliced.text);
  CHECK(count(sliced.text, "asm(\"smlad %0, %1, %2, %3\"") == 1);
  CHECK(count(sliced.text, "only_dsp(int x)") == 1);
  CHECK(count(sliced.text, "only_arm(int)") == 1);
  CHECK(count(sliced.text, "only_elsewhere(int)") == 1);
  CHECK(count(sliced.text, "#error \"no block for this core\"") == 1);
  CHECK(count(sliced.text, "NASTY_NEVER") == 0);
  CHECK(count(sliced.text, "\n#if") == count(sliced.text, "\n#endif"));
}

TEST_CASE("the sliced source compiles with every compiler and standard") {
  const std::string text = emitted(slice(request(program)), "gesture");
  for (const char* compiler :
       {"g++ -std=gnu++14 -O2", "g++ -std=gnu++20 -O0", "clang++-19 -std=gnu++14 -O1",
        "arm-none-eabi-g++ -std=gnu++14 -O2 -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard",
        "arm-none-eabi-g++ -std=gnu++20 -Os -mcpu=cortex-m0plus -mthumb"})
    compiles(compiler, text);
}

TEST_CASE("the Arm object holds the SMLAD block") {
  if (!installed("arm-none-eabi-g++")) {
    WARN("arm-none-eabi-g++ is not installed: not checked");
    return;
  }
  bool failed = false;
  const std::string code = run_on(
      "arm-none-eabi-g++ -std=gnu++14 -O2 -mcpu=cortex-m4 -mthumb -mfpu=fpv4-sp-d16 -mfloat-abi=hard -c {} "
      "-o {.o} && "
      "arm-none-eabi-objdump -d {.o}",
      emitted(slice(request(program)), "gesture"), failed);
  INFO(code);
  CHECK_FALSE(failed);
  CHECK(count(code, "smlad") >= 1);
}

TEST_CASE("two models stand in one source") {
  const SliceResult sliced = slice(request(program));
  compiles("g++ -std=gnu++14", emitted(sliced, "gesture") + emitted(sliced, "speech"));
}

TEST_CASE("a slice is the same bytes each time") {
  const SliceResult once = slice(request(program)), again = slice(request(program));
  CHECK(once.text == again.text);
  CHECK(once.macros == again.macros);
  CHECK(std::count(once.macros.begin(), once.macros.end(), "NASTY_LIMIT") == 1);
}

TEST_CASE("a call that Sema refuses is reported with the call") {
  const std::string text = error_of(request("float f(const float* x) {\n  return tinytc::nasty(x);\n}\n"));
  INFO(text);
  CHECK(text.find("program.cpp:2: no matching function for call to 'nasty'") != std::string::npos);
  CHECK(text.find("return tinytc::nasty(x);") != std::string::npos);
}

TEST_CASE("a silent conversion of an argument is refused") {
  const std::string given =
      "extern const long wide; extern const unsigned natural; extern const char small;\n";
  for (const char* argument : {"2.5", "wide", "natural", "small", "1.0f", "5000000000L"}) {
    const std::string text =
        error_of(request(given + "int f() { return tinytc::stepped(" + std::string(argument) + "); }"));
    INFO(argument << "\n" << text);
    CHECK(text.find("program.cpp:2: argument of 'stepped' is converted silently") != std::string::npos);
  }
  for (const char* argument : {"3", "3L", "3u"}) {
    CHECK(error_of(request(given + "int f() { return tinytc::stepped(" + std::string(argument) + "); }")) ==
          "");
  }
}

TEST_CASE("what a slice would lose is refused") {
  const std::pair<const char*, const char*> cases[] = {
      {"static_assert(sizeof(int) == 4, \"\");", "static_assert outside a function"},
      {"asm(\"nop\");", "file-scope asm"},
      {"#pragma GCC optimize(\"O3\")\n", "'#pragma'"},
      {"namespace x { using namespace tinytc; }", "a namespace-level using"},
      {"namespace x { using tinytc::min_of; }", "a namespace-level using"},
      {"namespace x {\n#include \"runtime/base.h\"\n}", "#include inside a namespace"},
      {"#if 1\n#include <arm_acle.h>\n#endif", "a system header cannot be included under an #if"},
      {"#if 1\nint f(int a)\n#else\nint f(long a)\n#endif\n{ return 1; }",
       "straddles the boundary of an #if"},
      {"#if 1\nnamespace x {\n#endif\n}", "does not end inside the same #if branch"},
      {"#include \"runtime/missing.h\"", "'runtime/missing.h' does not exist"},
      {"#if 1\n#include \"data/a.h\"\n#endif\n#include \"data/a.h\"\n",
       "was included before under another #if"},
  };
  for (const auto& [text, expected] : cases) {
    SliceRequest wrong = request("int x;");
    wrong.headers = {"data/wrong.h"};
    wrong.own_headers = {{"data/wrong.h", std::string(text) + "\n"},
                         {"data/a.h", "#pragma once\nint a();\n"}};
    INFO(text);
    CHECK_THAT(error_of(wrong), Catch::Contains(expected));
  }
}

TEST_CASE("no kernel header holds what a slice would lose") {
  std::map<std::string, std::string_view> texts;
  for (const HeaderFile& header : runtime_headers()) texts.emplace(header.path, header.text);
  for (const HeaderFile& header : runtime_headers()) {
    INFO(header.path);
    CHECK_NOTHROW(parse_headers({std::string(header.path)}, texts));
    CHECK(header.text.find("::tinytc") == std::string_view::npos);  // the namespace moves into the model's
  }
}
