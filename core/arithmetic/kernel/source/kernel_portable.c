/* The kernel for every other processor: NEON on ARM, plain C elsewhere. */
#include <float.h>
#include <string.h>

#include "windows.h"
#define NAME(x) x##_portable
#if defined(__aarch64__)
#include "vectors_neon.h"
#else
#include "vectors_portable.h"
#endif
#include "kernel.h"
