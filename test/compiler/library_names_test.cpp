// Names of the C library: what must be refused, and what is nobody's.
#include "compiler/library_names.h"

#include <catch2/catch.hpp>

using namespace tinytc;

TEST_CASE("headers, functions, types and macros of the C library are known") {
  for (const char* name :
       {"time",      "string",  "log",        "stdint",      "math",        "int32_t",     "uint8_t",   "int_fast16_t", "size_t",   "ptrdiff_t",
        "nullptr_t", "max_align_t", "sin",    "sinf",        "sinl",        "abs",         "printf",    "memcpy",       "putchar",  "isnan",
        "errno",     "EOF",     "INT_MAX",    "UINT32_C",    "stdin",       "float_t",     "PRIu32",    "DBL_EPSILON",  "FE_INVALID", "csqrtf",
        "EINVAL",    "SIGINT",  "thrd_create", "atomic_load", "wcscpy",     "WEOF",        "tm",        "timespec",     "div",      "exit",
        "read",      "write",   "index",      "y0",          "random",      "uint",        "pthread_create", "NAN",     "CHAR_BIT", "roundevenf",
        "abort",     "Time",   "unistd",      "thrd",        "sched",       "va_list",   "setjmp",       "M_PI",     "ssize_t"}) {
    INFO(name);
    CHECK_FALSE(library_clash(name).empty());
  }
  CHECK(library_clash("time") == "time.h would hide <time.h>");
  CHECK(library_clash("sin") == "it is a name of <math.h>");
  CHECK(library_clash("thrd") == "thrd_yield is a name of <threads.h>");
}

TEST_CASE("names that models have are free") {
  for (const char* name : {"gesture", "digits", "shoulder", "vww", "kws", "resnet8", "ECG", "EMNIST", "SIGMA", "total", "sine", "Model", "anomaly", "mlp_13", "is_awake"}) {
    INFO(name);
    CHECK(library_clash(name).empty());
  }
}

TEST_CASE("macros are told from functions") {
  for (const char* name : {"errno", "EOF", "NAN", "I", "stdin", "INT8_MAX"}) CHECK(is_library_macro(name));
  for (const char* name : {"time", "index", "log", "x", "X", "IMU"}) CHECK_FALSE(is_library_macro(name));
}
