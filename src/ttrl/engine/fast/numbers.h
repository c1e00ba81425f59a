/* Numbers that the kernels share: bfloat16, vectors, exp. */

#ifndef TTRL_NUMBERS_H
#define TTRL_NUMBERS_H

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#if defined(__AVX512BF16__)
#include <immintrin.h>
#endif
#ifdef _OPENMP
#include <omp.h>
#else
static inline int omp_get_thread_num(void) { return 0; }
static inline int omp_get_num_threads(void) { return 1; }
#endif

#define ALWAYS static inline __attribute__((always_inline))

typedef uint16_t half;

#if defined(__AVX512F__)
#define LANES 16
#define TILE 12 /* rows whose sums stay in registers, two vectors each */
#elif defined(__AVX__)
#define LANES 8
#define TILE 6
#else
#define LANES 4
#define TILE 6
#endif
#define PANEL (2 * LANES)

static inline int64_t padded_to_panel(int64_t n) { return (n + PANEL - 1) / PANEL * PANEL; }

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef float loose __attribute__((vector_size(4 * LANES), aligned(4)));
typedef int32_t ivec __attribute__((vector_size(4 * LANES)));
typedef int32_t iloose __attribute__((vector_size(4 * LANES), aligned(4)));

ALWAYS float widen_half(half x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
ALWAYS float widen_float(float x) { return x; }

ALWAYS half narrow_half(float x) { /* to nearest, ties to even; NaN stays NaN */
    uint32_t bits;
    memcpy(&bits, &x, 4);
    const half rounded = (half)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
    return x != x ? (half)0x7fc0 : rounded;
}
ALWAYS float narrow_float(float x) { return x; }

/* exp for x <= 0 with a relative error below 1e-5 (1e-6 with fused products), in operations that
   vectorise; 0 below -87. */
ALWAYS float exp_nonpositive(float x) {
    const float clamped = x < -87.0f ? -87.0f : x;
    const float n = rintf(clamped * 1.44269504f);
    const float r = (clamped - n * 0.693359375f) + n * 2.12194440e-4f;
    float y = 1.9875691500e-4f;
    y = y * r + 1.3981999507e-3f;
    y = y * r + 8.3334519073e-3f;
    y = y * r + 4.1665795894e-2f;
    y = y * r + 1.6666665459e-1f;
    y = y * r + 5.0000001201e-1f;
    y = y * r * r + r + 1.0f;
    const int32_t bits = ((int32_t)n + 127) << 23;
    float power;
    memcpy(&power, &bits, 4);
    return x < -87.0f ? 0.0f : y * power;
}

ALWAYS float silu(float x) {
    const float e = exp_nonpositive(x < 0.0f ? x : -x);
    return x / (1.0f + e) * (x < 0.0f ? e : 1.0f);
}

#endif
