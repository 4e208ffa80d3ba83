// The audit, one forbidden thing at a time, and what it measures on a small model.
#include "codegen/audit.h"

#include <algorithm>
#include <catch2/catch.hpp>

#include "codegen/headers.h"
#include "compiler/diagnostics.h"
#include "test/codegen/codegen_support.h"

using namespace tinytc;
using namespace tinytc::test;

namespace {

AuditReport audited(const std::string& source, bool machine_code = false) {
  AuditRequest request;
  request.source = source;
  request.target = cortex_m4();
  request.allowed_calls = {"test_yield"};
  request.machine_code = machine_code;
  return audit(request);
}

/// All violations, a line each.
std::string listed(const AuditReport& report) {
  std::string text;
  for (const AuditViolation& one : report.violations) {
    text += std::to_string(one.line) + " " + one.function + ": " + one.message + "\n";
  }
  return text;
}
std::string violations(const std::string& source) { return listed(audited(source)); }

/// A function `run` with the given body, after the given declarations.
std::string in_function(const std::string& body, const std::string& before = "") {
  return "#include <cstddef>\n#include <cstdint>\n#include <cstring>\n" + before +
         "\nint run(const int* data, int length) {\n" + body + "\n}\n";
}

struct Case {
  const char* body;
  const char* before;
  const char* expected;
};

const char* const shape =
    "namespace {\nstruct Shape { int n, step; int dims[3]; };\n"
    "inline int product(const int* dims, int rank) { int all = 1; for (int d = 0; d < rank; ++d) all *= "
    "dims[d]; return all; }\n"
    "template <typename T> T smaller(T a, T b) { return b < a ? b : a; }\n"
    "}\n";

}  // namespace

TEST_CASE("the audit refuses what firmware must not contain") {
  const Case cases[] = {
      {"return *new int(1);", "", "heap use: new"},
      {"delete data; return 0;", "", "heap use: delete"},
      {"return *(int*)malloc(4);", "extern \"C\" void* malloc(std::size_t);", "heap use: malloc"},
      {"free((void*)data); return 0;", "extern \"C\" void free(void*);", "heap use: free"},
      {"return length ? run(data, length - 1) : 0;", "", "recursion: 'run'"},
      {"return odd(length);",
       "int even(int n); int odd(int n) { return n ? even(n - 1) : 0; } int even(int n) { return n ? odd(n - "
       "1) : 1; }",
       "recursion: 'odd', 'even'"},
      {"Node n; return 0;",
       "struct Node { ~Node(); }; inline void drop() { Node n; } inline Node::~Node() { drop(); }",
       "recursion: "},
      {"Box b; return 0;",
       "struct Box { Box(); }; inline Box make() { return Box(); } inline Box::Box() { make(); }",
       "recursion: "},
      {"Sum s; return s + 1;",
       "struct Sum { int operator+(int n) const { return n ? *this + (n - 1) : 0; } };", "recursion: "},
      {"struct L { ~L() { O o; } struct O { ~O() { L l; } }; }; L l; return 0;", "", "recursion: "},
      {"auto f = &run; return f(data, 0);", "", "an indirect call"},
      {"return call(&run);",
       "int run(const int*, int); inline int call(int (*f)(const int*, int)) { return f(nullptr, 0); }",
       "an indirect call"},
      {"Base b; return b.f();", "struct Base { virtual int f() { return 1; } };", "a virtual function"},
      {"int a[length]; return a[0];", "", "a variable-length array"},
      {"return *(int*)__builtin_alloca(4);", "", "alloca"},
      {"throw 1;", "", "does not compile: cannot use 'throw'"},
      {"try { return 1; } catch (...) { return 2; }", "", "does not compile: cannot use 'try'"},
      {"return dynamic_cast<const D*>(b) != nullptr;",
       "struct B { virtual void f() {} }; struct D : B {}; extern const B* const b;", "dynamic_cast"},
      {"return typeid(length) == typeid(int);",
       "namespace std { struct type_info { bool operator==(const type_info&) const { return true; } }; }",
       "typeid"},
      {"return counter++;", "int counter;", "data outside functions that can change: 'counter'"},
      {"return elsewhere;", "extern int elsewhere;", "data outside functions that can change: 'elsewhere'"},
      {"static int n; return n++;", "", "a static local that can change"},
      {"return late;", "int side(); const int late = side();",
       "an initializer that runs at start-up: 'late'"},
      {"static const int n = length; return n;", "", "an initializer that runs at start-up"},
      {"return 0;", "struct Noisy { ~Noisy() {} }; const Noisy noisy{};",
       "a destructor that runs at exit: 'noisy'"},
      {"return t;", "thread_local int t;", "thread_local"},
      {"return other(length);", "int other(int);", "a call of 'other', which has no body here"},
      {"again: if (data[0]) goto again; return 0;", "", "goto"},
      {"return unknown;", "", "does not compile: use of undeclared identifier 'unknown'"},
  };
  for (const Case& one : cases) {
    INFO(one.before << "\n" << one.body);
    CHECK_THAT(violations(in_function(one.body, one.before)), Catch::Contains(one.expected));
  }
}

TEST_CASE("the audit accepts what firmware needs") {
  const Case cases[] = {
      {"int copy[2]; std::memcpy(copy, data, sizeof copy); return copy[0];", "", ""},
      {"test_yield(); return 0;", "extern \"C\" void test_yield();", ""},
      {"static const int table[2] = {1, 2}; return table[length & 1];", "", ""},
      {"return outside[0] + weights[1];",
       "static constexpr int outside[1] = {3}; extern const int weights[9];", ""},
      {"return Sink{2}(length);", "struct Sink { int k; int operator()(int x) const { return x * k; } };",
       ""},
      {"auto twice = [length](int x) { return x * length; }; return twice(2);", "", ""},
      {"Guard g; return 1;", "struct Guard { ~Guard() {} };", ""},
      {"return __builtin_clz(static_cast<unsigned>(length));", "", ""},
  };
  for (const Case& one : cases) {
    INFO(one.before << "\n" << one.body);
    CHECK(violations(in_function(one.body, one.before)) == "");
  }
}

TEST_CASE("the audit refuses loops whose end depends on data") {
  const Case cases[] = {
      {"int s = 0; for (int i = 0; i < length; ++i) s += data[i]; return s;", "", "its end depends on data"},
      {"int s = 0; for (int i = 0; i < data[0]; ++i) ++s; return s;", "", "its end depends on data"},
      {"int s = 0; const int n = data[1]; const int m = n * 2; for (int i = 0; i < m; ++i) ++s; return s;",
       "", "its end depends on data"},
      {"int s = 0; for (int i = data[0]; i < 9; ++i) ++s; return s;", "", "its start depends on data"},
      {"int s = 0; for (int i = 0; i < 9; i += data[0]) ++s; return s;", "", "its step depends on data"},
      {"int s = 0; for (int i = 0; i < 9; ++i) { if (s) --i; } return s;", "", "'i' changes inside it"},
      {"int s = 0; for (int i = 0, n = 9; i < n; ++i) { n += 1; } return s;", "", "'n' changes inside it"},
      {"int s = 0; for (int i = 0; i < 9; ++i) { int* p = &i; *p = 0; } return s;", "",
       "'i' changes inside it"},
      {"int s = 0; for (int i = 0; i < 9; ++i) reset(i); return s;", "inline void reset(int& i) { i = 0; }",
       "'i' changes inside it"},
      {"Shape s{3, 1, {1, 2, 3}}; for (int i = 0; i < s.n; ++i) { s.n += 1; } return 0;", "",
       "'s' changes inside it"},
      {"Shape s{3, 1, {1, 2, 3}}; for (int i = 0; i < s.dims[0]; ++i) { next(s.dims); } return 0;",
       "static void next(int* index) { ++index[0]; }", "'s' changes inside it"},
      {"int s = 0; for (int i = 0; i < 9; --i) ++s; return s;", "", "does not compare an integer"},
      {"int s = 0; for (int i = 0; i != 9; i += 2) ++s; return s;", "", "does not compare an integer"},
      {"int s = 0; for (int i = 1; i < 9; i *= 1) ++s; return s;", "", "does not compare an integer"},
      {"for (;;) {}", "", "it has no condition"},
      {"while (data[0]) {} return 0;", "", "'while' does not count"},
      {"do {} while (data[0]); return 0;", "", "'do' does not count"},
      {"int s = 0; for (float x = 0; x < 9; x += 1) ++s; return s;", "", "does not compare an integer"},
      {"return sum(data, 3) + sum(data, data[0]);",
       "static int sum(const int* x, int n) { int s = 0; for (int i = 0; i < n; ++i) s += x[i]; return s; }",
       "its end depends on data"},
      {"return product(data, 3) > 0 ? part(product(data, 2)) : 0;",
       "static int part(int n) { int s = 0; for (int i = 0; i < n; ++i) ++s; return s; }",
       "part: a loop without a bound"},
      {"Shape s{3, 1, {1, 2, 3}}; fill(s, data); int t = 0; for (int i = 0; i < s.n; ++i) ++t; return t;",
       "static void fill(Shape& s, const int* x) { s.n = x[0]; }", "its end depends on data"},
      {"int k[2]; std::memcpy(k, data, sizeof k); int t = 0; for (int i = 0; i < k[1]; ++i) ++t; return t;",
       "", "its end depends on data"},
      {"int t = 0; for (int i = 0; i < table[0]; ++i) ++t; return t;", "extern const int table[4];",
       "its end depends on data"},
      {"const float f = (float)data[0]; int t = 0; for (int i = 0; i < (int)f; ++i) ++t; return t;", "",
       "its end depends on data"},
      {"int n = 0; int* p = &n; *p = data[0]; int t = 0; for (int i = 0; i < n; ++i) ++t; return t;", "",
       "its end depends on data"},
      {"auto f = [&](int n) { int t = 0; for (int i = 0; i < n + length; ++i) ++t; return t; }; return f(1);",
       "", "its end depends on data"},
      {"return through<sum>(data);",
       "using Kernel = int(const int*, int);\n"
       "static int sum(const int* x, int n) { int s = 0; for (int i = 0; i < n; ++i) s += x[i]; return s; }\n"
       "template <Kernel& kernel> inline int through(const int* x) { return kernel(x, 6) + kernel(x, x[0]); "
       "}",
       "its end depends on data"},
      {"return through<sum>(data);",
       "using Kernel = int(const int*, int);\n"
       "static int sum(const int* x, int n) { int s = 0; for (int i = 0; i < n; ++i) s += x[i]; return s; }\n"
       "template <Kernel& kernel> inline int through(const int* x) { Kernel* f = &kernel; return f(x, 6); }",
       "an indirect call"},
      {"return through<sum>(data);",
       "using Kernel = int(const int*, int); static int known(Kernel*) { return 0; }\n"
       "static int sum(const int* x, int n) { int s = 0; for (int i = 0; i < n; ++i) s += x[i]; return s; }\n"
       "template <Kernel& kernel> inline int through(const int* x) { return kernel(x, 6) + known(&kernel); }",
       "its end depends on data"},
  };
  for (const Case& one : cases) {
    INFO(one.before << "\n" << one.body);
    CHECK_THAT(violations(in_function(one.body, std::string(shape) + one.before)),
               Catch::Contains(one.expected));
  }
}

TEST_CASE("the audit accepts loops over shapes and computes their maximum") {
  struct Bounded {
    const char* body;
    const char* before;
    std::int64_t most;  ///< of the last loop; -1: not computed
  };
  const Bounded cases[] = {
      {"int s = 0; for (int i = 0; i < 9; ++i) s += data[i]; return s;", "", 9},
      {"int s = 0; for (int i = 9; i >= 1; i -= 2) s += data[i]; return s;", "", 5},
      {"int s = 0; for (int i = 0; i < 4; ++i) for (int j = i; 8 > j; ++j) ++s; return s;", "", 8},
      {"constexpr Shape s{3, 1, {4, 5, 6}}; int t = 0; for (int i = 0; i < s.n * s.dims[2]; ++i) ++t; return "
       "t;",
       "", 18},
      {"constexpr Shape s{3, 2, {4, 5, 6}}; return total(s, data);",
       "static int total(const Shape& s, const int* x) { int t = 0; const int n = s.n; for (int i = 0; i < "
       "n; i += s.step) t += x[i]; return t; }",
       2},
      {"return total(shapes[length & 1], data);",
       "constexpr Shape shapes[2] = {{3, 1, {4, 5, 6}}, {7, 1, {4, 5, 6}}};\n"
       "static int total(const Shape& s, const int* x) { int t = 0; for (int i = 0; i < s.n; ++i) t += x[i]; "
       "return t; }",
       7},
      {"return sum(data, 3) + sum(data, 5);",
       "static int sum(const int* x, int n) { int s = 0; for (int i = 0; i < n; ++i) s += x[i]; return s; }",
       5},
      {"constexpr Shape s{3, 1, {4, 5, 6}}; int t = 0; for (int i = 0; i < smaller(s.n, 2); ++i) t += "
       "smaller(data[i], 3); return t;",
       "", 2},
      {"constexpr Shape s{3, 1, {4, 5, 6}}; int t = 0; for (int i = 0; i < product(s.dims, s.n); ++i) t += "
       "data[i]; return t;",
       "", -1},
      {"int index[3] = {0, 0, 0}; next(index, data); int t = 0; for (int i = 0; i < 3 && index[0] >= 0; ++i) "
       "++t; return t;",
       "static void next(int* index, const int* x) { index[0] = x[0]; }", 3},
      {"int t = 0; for (int i = 1; i < 100; i *= 2) ++t; return t;", "", -1},
      {"int t = 0; for (unsigned i = 64; i > 0; i >>= 1) ++t; return t;", "", -1},
      {"int t = 0; while (t < data[0]) { TINYTC_BOUNDED(40); ++t; } return t;",
       "#define TINYTC_BOUNDED(n) bounded_loop<(n)>()\ntemplate <int n> inline void bounded_loop() {}", 40},
      {"const int three[3] = {1, 2, 3}; int t = 0; for (int x : three) t += x; return t;", "", 3},
      {"Walk w{data, 4}; int t = 0; for (int i = 0; i < w.n; ++i) t += w.x[i]; return t;",
       "struct Walk { const int* x; int n; };", 4},
      {"const int n = data[0] > 3 ? 4 : 8; int t = 0; for (int i = 0; i < n; ++i) ++t; return t;", "", 8},
      {"auto f = [&](int n) { int t = 0; for (int i = 0; i < n; ++i) t += data[i]; return t; }; return f(3);",
       "", 3},
      {"return through<sum>(data);",
       "using Kernel = int(const int*, int);\n"
       "static int sum(const int* x, int n) { int s = 0; for (int i = 0; i < n; ++i) s += x[i]; return s; }\n"
       "template <Kernel& kernel> inline int through(const int* x) { return kernel(x, 6); }",
       6},
      {"Shape s{3, 1, {}}; int t = 0; for (int i = 0; i < s.n; ++i) s.dims[i] = ++t; return s.dims[2];", "",
       -1},
      {"do { return 1; } while (false);", "", -2},
  };
  for (const Bounded& one : cases) {
    INFO(one.before << "\n" << one.body);
    const AuditReport report = audited(in_function(one.body, std::string(shape) + one.before));
    CHECK(listed(report) == "");
    if (one.most == -2) continue;
    unsigned last = 0;
    std::int64_t most = -2;
    for (const AuditLoop& loop : report.loops) {
      if (loop.function.find("product") == std::string::npos && loop.line >= last)
        most = std::max(loop.most_iterations, last == loop.line ? most : -2);
      last = std::max(last, loop.line);
    }
    CHECK(most == one.most);
  }
}

TEST_CASE("the audit measures the machine code") {
  const char* const source = R"(
#include <cstdint>
#include <cstring>
namespace {
__attribute__((noinline)) float inner(const float* x, int i) {
  volatile float room[32];
  for (int k = 0; k < 32; ++k) room[k] = x[i];
  return room[i & 31];
}
__attribute__((noinline)) double outer(const float* x) {
  volatile float room[16];
  for (int k = 0; k < 16; ++k) room[k] = inner(x, k);
  return static_cast<double>(room[3]) * 1.5;
}
}
float shallow(const float* x) { return x[0]; }
double run(const float* x) { return outer(x) + 1.0; }
)";
  const AuditReport report = audited(source, true);
  CHECK(listed(report) == "");
  REQUIRE(report.deepest_path.size() == 3);
  CHECK(report.deepest_path[0] == "run(float const*)");
  CHECK(report.deepest_path[1].find("outer") != std::string::npos);
  CHECK(report.deepest_path[2].find("inner") != std::string::npos);
  // The two arrays are 192 bytes; saved registers and alignment add at most 64 over three frames.
  CHECK(report.stack_bytes >= 192);
  CHECK(report.stack_bytes <= 192 + 64);
  CHECK(report.source_call_depth == 3);
  CHECK(report.functions.size() == 4);
  for (const AuditFunction& one : report.functions) CHECK(one.code_bytes > 0);
  CHECK(report.code_bytes > 40);
  CHECK(report.library_calls == std::vector<std::string>{"__aeabi_dadd", "__aeabi_dmul", "__aeabi_f2d"});
}

TEST_CASE("the audit is the same each time, for every target that has a back end") {
  AuditRequest request;
  request.source =
      "float f(const float* x) { float s = 0; for (int i = 0; i < 8; ++i) s += x[i]; return s; }";
  TargetConfig riscv;
  riscv.triple = "riscv32-unknown-unknown-elf";
  riscv.features = {"+m", "+c"};
  riscv.abi = "ilp32";
  for (const TargetConfig& target : {cortex_m4(), portable_config(), host_config(), riscv}) {
    request.target = target;
    const AuditReport once = audit(request), again = audit(request);
    INFO(target.triple);
    CHECK(once.violations.empty());
    CHECK(once.code_bytes > 0);
    CHECK(once.code_bytes == again.code_bytes);
    CHECK(once.stack_bytes == again.stack_bytes);
    CHECK((target.cpu == "cortex-m4") ==
          (once.library_calls.empty() && target.triple != host_config().triple));
  }
  request.target.triple = "nonsense-unknown-unknown";
  CHECK_THROWS_AS(audit(request), InternalError);
}

TEST_CASE("every kernel header passes the audit's rules on declarations") {
  AuditRequest request;
  for (const HeaderFile& header : runtime_headers())
    request.source += "#include \"" + std::string(header.path) + "\"\n";
  request.target = cortex_m4();
  request.machine_code = false;
  for (const AuditViolation& wrong : audit(request).violations) {
    // Nothing calls these functions here, so every argument counts as data.
    const bool loop = wrong.message.find("depends on data") != std::string::npos;
    INFO(wrong.function << ":" << wrong.line << " " << wrong.message);
    CHECK(loop);
  }
}
