// All of the runtime's own mathematics; the parts can be included alone.
//
// None of it calls a library, uses a table, or depends on the compiler: host and device give the same bits.
#ifndef TINYTC_RUNTIME_MATH_H
#define TINYTC_RUNTIME_MATH_H

#include "runtime/math_bits.h"
#include "runtime/math_exp.h"
#include "runtime/math_pow.h"
#include "runtime/math_trig.h"

#endif  // TINYTC_RUNTIME_MATH_H
