// The four functions of <string.h> that every freestanding compiler may call itself.
#ifndef TINYTC_SHIM_STRING_H
#define TINYTC_SHIM_STRING_H

#include <stddef.h>

extern "C" {
void* memcpy(void* to, const void* from, size_t bytes);
void* memmove(void* to, const void* from, size_t bytes);
void* memset(void* to, int value, size_t bytes);
int memcmp(const void* a, const void* b, size_t bytes);
}

#endif
