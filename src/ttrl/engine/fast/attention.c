/* Attention of one new token per row over two segments of keys and values:

     the prompt, kept once for each question:   pk [Q, KV, D, P]   pv [Q, KV, P, D]
     what the row has decoded so far:           sk [C, KV, D, T]   sv [C, KV, T, D]

   q, out: [R, H, D]. owner[r]: question of row r. start[q]: first column of a prompt that is no padding.
   length: columns of the second segment in use. Keys are stored with positions innermost, so that scores
   are sums of whole vectors. work: threads x G x (P + T) floats, G = H / KV. */

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef uint16_t half_t;

static inline float widen_half(half_t x) {
    uint32_t bits = (uint32_t)x << 16;
    float value;
    memcpy(&value, &bits, 4);
    return value;
}
static inline float widen_float(float x) { return x; }

static inline half_t narrow_half(float x) {
    uint32_t bits;
    memcpy(&bits, &x, 4);
    return (half_t)((bits + 0x7fff + ((bits >> 16) & 1)) >> 16); /* to nearest, ties to even */
}
static inline float narrow_float(float x) { return x; }

/* exp for x <= 0 to within 2 units of the last place, in operations that vectorise; 0 below -87. */
static inline float exp_nonpositive(float x) {
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

#define MAX_D 256

#define DEFINE(NAME, TYPE, WIDEN, NARROW)                                                            \
    static void scores_##NAME(const float *q, const TYPE *keys, ptrdiff_t stride, int from, int to,  \
                              int D, float *restrict s) {                                            \
        int d = 0;                                                                                   \
        for (int t = from; t < to; t++) s[t] = 0.0f;                                                 \
        for (; d + 4 <= D; d += 4) {                                                                 \
            const TYPE *k0 = keys + d * stride, *k1 = k0 + stride, *k2 = k1 + stride,                \
                       *k3 = k2 + stride;                                                            \
            const float q0 = q[d], q1 = q[d + 1], q2 = q[d + 2], q3 = q[d + 3];                      \
            for (int t = from; t < to; t++)                                                          \
                s[t] += q0 * WIDEN(k0[t]) + q1 * WIDEN(k1[t]) + q2 * WIDEN(k2[t]) +                  \
                        q3 * WIDEN(k3[t]);                                                           \
        }                                                                                            \
        for (; d < D; d++) {                                                                         \
            const TYPE *k0 = keys + d * stride;                                                      \
            for (int t = from; t < to; t++) s[t] += q[d] * WIDEN(k0[t]);                             \
        }                                                                                            \
    }                                                                                                \
    static void mix_##NAME(const float *p, const TYPE *values, int from, int to, int D,              \
                           float *restrict acc) {                                                    \
        int t = from;                                                                                \
        for (; t + 4 <= to; t += 4) {                                                                \
            const TYPE *v0 = values + (ptrdiff_t)t * D, *v1 = v0 + D, *v2 = v1 + D, *v3 = v2 + D;    \
            const float p0 = p[t], p1 = p[t + 1], p2 = p[t + 2], p3 = p[t + 3];                      \
            for (int d = 0; d < D; d++)                                                              \
                acc[d] += p0 * WIDEN(v0[d]) + p1 * WIDEN(v1[d]) + p2 * WIDEN(v2[d]) +                \
                          p3 * WIDEN(v3[d]);                                                         \
        }                                                                                            \
        for (; t < to; t++) {                                                                        \
            const TYPE *v0 = values + (ptrdiff_t)t * D;                                              \
            for (int d = 0; d < D; d++) acc[d] += p[t] * WIDEN(v0[d]);                               \
        }                                                                                            \
    }                                                                                                \
    void attend_##NAME(const TYPE *q, TYPE *out, const TYPE *pk, const TYPE *pv,                     \
                       const int64_t *owner, const int64_t *start, const TYPE *sk, const TYPE *sv,   \
                       float *work, int64_t R, int64_t H, int64_t KV, int64_t D, int64_t P,          \
                       int64_t T, int64_t length, float scale, int64_t threads) {                    \
        const int G = (int)(H / KV);                                                                 \
        _Pragma("omp parallel for collapse(2) num_threads(threads) schedule(static)")                \
        for (int64_t r = 0; r < R; r++)                                                              \
            for (int64_t kv = 0; kv < KV; kv++) {                                                    \
                float *s = work + (ptrdiff_t)THREAD * (P + T);                                       \
                float scaled[MAX_D], acc[MAX_D];                                                     \
                const ptrdiff_t prompt = (owner[r] * KV + kv) * D * P;                               \
                const ptrdiff_t own = (r * KV + kv) * D * T;                                         \
                const int from = (int)start[owner[r]];                                               \
                for (int g = 0; g < G; g++) {                                                        \
                    const ptrdiff_t at = (r * H + kv * G + g) * D;                                   \
                    for (int d = 0; d < D; d++) scaled[d] = WIDEN(q[at + d]) * scale;                \
                    scores_##NAME(scaled, pk + prompt, P, from, (int)P, (int)D, s);                  \
                    scores_##NAME(scaled, sk + own, T, 0, (int)length, (int)D, s + P);               \
                    const int end = (int)(P + length);                                               \
                    float top = -FLT_MAX, total = 0.0f;                                              \
                    for (int t = from; t < end; t++) top = s[t] > top ? s[t] : top;                  \
                    for (int t = from; t < end; t++) {                                               \
                        s[t] = exp_nonpositive(s[t] - top);                                                     \
                        total += s[t];                                                               \
                    }                                                                                \
                    for (int d = 0; d < D; d++) acc[d] = 0.0f;                                       \
                    mix_##NAME(s, pv + prompt, from, (int)P, (int)D, acc);                           \
                    mix_##NAME(s + P, sv + own, 0, (int)length, (int)D, acc);                        \
                    for (int d = 0; d < D; d++) out[at + d] = NARROW(acc[d] / total);                \
                }                                                                                    \
            }                                                                                        \
    }

#ifdef _OPENMP
#include <omp.h>
#define THREAD omp_get_thread_num()
#else
#define THREAD 0
#endif

DEFINE(float, float, widen_float, narrow_float)
DEFINE(half, half_t, widen_half, narrow_half)
