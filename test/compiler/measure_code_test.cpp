// Reading what binutils and GCC say; the texts have their forms.
#include "compiler/measure_code.h"

#include <catch2/catch.hpp>

using namespace tinytc;

TEST_CASE("the name of a function is found in what compilers print") {
  CHECK(unqualified("net::(anonymous namespace)::call_gemm(float const*, float*) [clone .constprop.0]") == "call_gemm");
  CHECK(unqualified("void net::{anonymous}::call_gemm(const float*)") == "call_gemm");
  CHECK(unqualified("net::Model::output() const") == "output");
  CHECK(unqualified("const float* net_output(net_model*)") == "net_output");
  CHECK(unqualified("bool tinytc::all_finite<float>(float const*, int)") == "all_finite");
  CHECK(unqualified("memcpy") == "memcpy");
}

TEST_CASE("tables are not code, clones of a function are one function") {
  CodeFigures figures;
  read_object(
      "\nnet.o:     file format elf32-littlearm\n\nSections:\n"
      "Idx Name          Size      VMA       LMA       File off  Algn  Flags\n"
      "  0 .text         00000000  00000000  00000000  00000034  2**1  CONTENTS, ALLOC, LOAD, READONLY, CODE\n"
      "  3 .text._Z1f 00000064  00000000  00000000  00000034  2**2  CONTENTS, ALLOC, LOAD, READONLY, CODE\n"
      " 14 .rodata.w_fc  00000fa0  00000000  00000000  000052f4  2**2  CONTENTS, ALLOC, LOAD, READONLY, DATA\n"
      " 15 .rodata.lut   00000014  00000000  00000000  000062f4  2**2  CONTENTS, ALLOC, LOAD, READONLY, DATA\n"
      " 16 .bss          000001f4  00000000  00000000  00000034  2**0  ALLOC\n"
      " 17 .comment      00000027  00000000  00000000  00006308  2**0  CONTENTS, READONLY\n"
      "SYMBOL TABLE:\n"
      "00000000 l    df *ABS*\t00000000 net.cpp\n"
      "00000000 l    d  .text._Z1f\t00000000 .text._Z1f\n"
      "00000000 l     F .text._Z1f\t00000028 net::(anonymous namespace)::call_f(float*)\n"
      "00000028 l     F .text._Z1f\t0000003c net::(anonymous namespace)::call_f(float*) [clone .part.0]\n"
      "00000000 l     O .rodata.w_fc\t00000fa0 net::(anonymous namespace)::w_fc\n"
      "00000000         *UND*\t00000000 memmove\n"
      "00000000         *UND*\t00000000 __aeabi_fadd\n",
      figures);
  CHECK(figures.code_bytes == 120);
  CHECK(figures.function_bytes.at("call_f") == 100);
  CHECK(figures.library_calls == std::vector<std::string>{"__aeabi_fadd", "memmove"});
}

TEST_CASE("the stack is that of the heaviest path, library routines included") {
  CodeFigures figures;
  read_call_graph(
      "graph: { title: \"net.cpp\"\n"
      "node: { title: \"predict\" label: \"void net::Model::predict()\\nnet.cpp:9:1\\n16 bytes (static)\" }\n"
      "node: { title: \"a\" label: \"void net::{anonymous}::call_a()\\nnet.cpp:1:1\\n200 bytes (static)\" }\n"
      "node: { title: \"b\" label: \"void net::{anonymous}::call_b()\\nnet.cpp:2:1\\n160 bytes (static)\" }\n"
      "node: { title: \"memmove\" label: \"void* __builtin_memmove(void*, const void*)\\n<built-in>\" shape : ellipse }\n"
      "edge: { sourcename: \"predict\" targetname: \"a\" label: \"net.cpp:9:3\" }\n"
      "edge: { sourcename: \"predict\" targetname: \"b\" label: \"net.cpp:9:4\" }\n"
      "edge: { sourcename: \"b\" targetname: \"memmove\" label: \"net.cpp:2:4\" }\n}\n",
      figures);
  CHECK(figures.stack_bytes == 16 + 160 + library_stack_bytes);
  CHECK(figures.deepest_path == std::vector<std::string>{"predict", "call_b", "__builtin_memmove"});
}

TEST_CASE("a function that GCC folded into an equal one has an edge but no node") {
  CodeFigures figures;
  read_call_graph(
      "node: { title: \"predict\" label: \"void net::Model::predict()\\nnet.cpp:9:1\\n16 bytes (static)\" }\n"
      "edge: { sourcename: \"predict\" targetname: \"net.cpp:call_n7\" label: \"net.cpp:9:3\" }\n",
      figures);
  CHECK(figures.stack_bytes == 16 + library_stack_bytes);
}
