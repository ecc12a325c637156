#include "model.h"

#include <string.h>

#if defined(__x86_64__) && defined(__GNUC__)
#define HAVE_AVX2 1
#include <immintrin.h>
#endif

static void classify_portable(const Neighbours *near, const Model *model, uint32_t n, Scratch *s)
{
    const uint16_t *a = near->near_difference[0], *b = near->near_difference[1],
                   *c = near->near_difference[2], *d = near->near_difference[3];
    uint16_t *restrict out = s->class_of;
    uint16_t t0 = model->threshold[0];
    uint16_t t1 = model->classes > 2 ? model->threshold[1] : UINT16_MAX;
    uint16_t t2 = model->classes > 3 ? model->threshold[2] : UINT16_MAX;
    for (uint32_t i = 0; i < n; i++) {
        uint16_t sum = (uint16_t)(a[i] + b[i] + c[i] + d[i]);
        out[i] = (uint16_t)((sum >= t0) + (sum >= t1) + (sum >= t2));
    }
}

static void energy_portable(const Neighbours *near, uint32_t n, Scratch *s)
{
    const uint16_t *const *e = near->near_error, *const *r = near->reference_error;
    const uint16_t *a = e[0], *b = e[1], *c = e[2], *d = e[3], *f = e[4], *g = e[5];
    uint16_t *restrict out = s->energy;
    if (near->intra) {
        for (uint32_t i = 0; i < n; i++)
            out[i] = (uint16_t)(2 * (a[i] + b[i]) + c[i] + d[i] + f[i] + g[i]) >> 3;
        return;
    }
    const uint16_t *q = r[0], *u = r[1], *v = r[2], *w = r[3], *x = r[4];
    for (uint32_t i = 0; i < n; i++)
        out[i] = (uint16_t)(7 * (a[i] + b[i]) + 3 * c[i] + 4 * d[i] + 2 * (f[i] + g[i]) +
                            3 * q[i] + u[i] + v[i] + w[i] + x[i]) >> 5;
}

static void differ_portable(const int16_t *sample, const int16_t *reference, uint32_t n,
                            uint16_t *restrict difference)
{
    for (uint32_t i = 0; i < n; i++) {
        int32_t apart = sample[i] - reference[i];
        apart = apart < 0 ? -apart : apart;
        difference[i] = (uint16_t)(apart < MAX_DIFFERENCE ? apart : MAX_DIFFERENCE);
    }
}

static void note_portable(const int16_t *sample, const int16_t *reference, const Scratch *s,
                       uint32_t n, unsigned error_shift, uint16_t *restrict error,
                       uint16_t *restrict difference)
{
    const int16_t *base = s->base, *fraction = s->fraction;
    for (uint32_t i = 0; i < n; i++) {
        int32_t off = 16 * (sample[i] - base[i]) - (fraction[i] - 2);
        int32_t size = (off < 0 ? -off : off) >> error_shift;
        error[i] = (uint16_t)(size < ENERGY - 1 ? size : ENERGY - 1);
    }
    if (reference)
        differ_portable(sample, reference, n, difference);
}

static void predict_portable(const Neighbours *near, const Coefficients *sets,
                             unsigned classes, unsigned bits, uint32_t n, Scratch *s)
{
    int32_t low = -(8 << bits), high = ((1 << (bits - 1)) - 1) * 16;
    int32_t *restrict sum = s->sum;
    for (unsigned class = 0; class < classes; class++) {
        const Coefficients *set = &sets[class];
        for (uint32_t i = 0; i < n; i++)
            sum[i] = set->offset + 128;
        for (int k = 0; k < near->taps; k++) {
            const int16_t *restrict tap = near->tap[k];
            int32_t weight = set->tap[k];
            for (uint32_t i = 0; i < n; i++)
                sum[i] += weight * tap[i];
        }
        for (uint32_t i = 0; i < n; i++) {
            int32_t mean = sum[i] >> 8;
            mean = mean < low ? low : mean > high ? high : mean;
            bool mine = classes == 1 || s->class_of[i] == class;
            s->base[i] = mine ? (int16_t)((mean + 2) >> 4) : s->base[i];
            s->fraction[i] = mine ? (int16_t)((mean + 2) & 15) : s->fraction[i];
        }
    }
}

static void products_portable(const int16_t *rows, size_t stride, unsigned count, uint32_t n,
                              int64_t *sums)
{
    for (unsigned a = 0; a < count; a++)
        for (unsigned b = 0; b <= a; b++) {
            const int16_t *x = rows + a * stride, *y = rows + b * stride;
            int32_t sum = 0;
            for (uint32_t i = 0; i < n; i++)
                sum += x[i] * y[i];
            *sums++ += sum;
        }
}

static void features_portable(const Neighbours *near, const int16_t *sample, uint32_t n,
                              int16_t *rows, size_t stride)
{
    const int16_t *base = near->tap[near->base_tap];
    for (int k = 0, row = 0; k <= near->taps; k++) {
        if ((unsigned)k == near->base_tap)
            continue;
        const int16_t *from = k < near->taps ? near->tap[k] : sample;
        int16_t *to = rows + stride * (size_t)(k < near->taps ? row : FEATURES);
        for (uint32_t i = 0; i < n; i++) {
            int32_t apart = from[i] - base[i];
            apart = apart < -CLAMP ? -CLAMP : apart;
            to[i] = (int16_t)(apart > CLAMP ? CLAMP : apart);
        }
        row++;
    }
}

#ifdef HAVE_AVX2
#ifdef __clang__
#pragma clang attribute push(__attribute__((target("avx2"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2")
#endif
/* Vectors of 16 values; what lies behind the last one is read, and written to scratch, too. */
static inline __m256i load(const void *p, uint32_t i)
{
    return _mm256_loadu_si256((const void *)((const uint16_t *)p + i));
}

static inline void store(void *p, uint32_t i, __m256i v)
{
    _mm256_storeu_si256((void *)((uint16_t *)p + i), v);
}

static inline __m256i add(__m256i a, __m256i b)
{
    return _mm256_add_epi16(a, b);
}

static inline __m256i times(__m256i a, short k)
{
    return _mm256_mullo_epi16(a, _mm256_set1_epi16(k));
}

static void classify_avx2(const Neighbours *near, const Model *model, uint32_t n, Scratch *s)
{
    const uint16_t *const *d = near->near_difference;
    __m256i threshold[CLASSES - 1];
    for (unsigned k = 0; k + 1 < CLASSES; k++) /* sums are below 2^15 */
        threshold[k] = _mm256_set1_epi16(
            k + 1 < model->classes && model->threshold[k] < INT16_MAX
                ? (short)(model->threshold[k] - 1) : INT16_MAX);
    for (uint32_t i = 0; i < n; i += 16) {
        __m256i sum = add(add(load(d[0], i), load(d[1], i)), add(load(d[2], i), load(d[3], i)));
        __m256i class = _mm256_setzero_si256();
        for (unsigned k = 0; k + 1 < CLASSES; k++)
            class = _mm256_sub_epi16(class, _mm256_cmpgt_epi16(sum, threshold[k]));
        store(s->class_of, i, class);
    }
}

static void energy_avx2(const Neighbours *near, uint32_t n, Scratch *s)
{
    const uint16_t *const *e = near->near_error, *const *r = near->reference_error;
    if (near->intra) {
        for (uint32_t i = 0; i < n; i += 16) {
            __m256i close = add(load(e[0], i), load(e[1], i));
            __m256i far = add(add(load(e[2], i), load(e[3], i)),
                              add(load(e[4], i), load(e[5], i)));
            store(s->energy, i, _mm256_srli_epi16(add(add(close, close), far), 3));
        }
        return;
    }
    for (uint32_t i = 0; i < n; i += 16) {
        __m256i sum = times(add(load(e[0], i), load(e[1], i)), 7);
        __m256i third = add(load(e[2], i), load(r[0], i));
        __m256i far = add(load(e[4], i), load(e[5], i));
        sum = add(sum, times(third, 3));
        sum = add(sum, _mm256_slli_epi16(load(e[3], i), 2));
        sum = add(sum, add(far, far));
        sum = add(sum, add(add(load(r[1], i), load(r[2], i)), add(load(r[3], i), load(r[4], i))));
        store(s->energy, i, _mm256_srli_epi16(sum, 5));
    }
}

/* |16 r - f| where r may be any 16 bits: what is over 2047 says no more than that it is. */
static inline __m256i error_of(__m256i sample, __m256i base, __m256i fraction, __m128i shift)
{
    __m256i two = _mm256_set1_epi32(2);
    __m256i off[2];
    for (int k = 0; k < 2; k++) {
        __m128i x = k ? _mm256_extracti128_si256(sample, 1) : _mm256_castsi256_si128(sample);
        __m128i b = k ? _mm256_extracti128_si256(base, 1) : _mm256_castsi256_si128(base);
        __m128i f = k ? _mm256_extracti128_si256(fraction, 1) : _mm256_castsi256_si128(fraction);
        __m256i r = _mm256_sub_epi32(_mm256_cvtepi16_epi32(x), _mm256_cvtepi16_epi32(b));
        r = _mm256_sub_epi32(_mm256_slli_epi32(r, 4), _mm256_cvtepi16_epi32(f));
        r = _mm256_abs_epi32(_mm256_add_epi32(r, two));
        off[k] = _mm256_min_epi32(_mm256_srl_epi32(r, shift), _mm256_set1_epi32(ENERGY - 1));
    }
    return _mm256_permute4x64_epi64(_mm256_packus_epi32(off[0], off[1]), 0xD8);
}

/* |a - b| as unsigned numbers. */
static inline __m256i difference_of(__m256i a, __m256i b)
{
    __m256i apart = _mm256_sub_epi16(_mm256_max_epi16(a, b), _mm256_min_epi16(a, b));
    return _mm256_min_epu16(apart, _mm256_set1_epi16(MAX_DIFFERENCE));
}

static void differ_avx2(const int16_t *sample, const int16_t *reference, uint32_t n,
                        uint16_t *difference)
{
    uint32_t i = 0;
    for (; i + 16 <= n; i += 16)
        store(difference, i, difference_of(load(sample, i), load(reference, i)));
    differ_portable(sample + i, reference + i, n - i, difference + i);
}

static void note_avx2(const int16_t *sample, const int16_t *reference, const Scratch *s,
                      uint32_t n, unsigned error_shift, uint16_t *error, uint16_t *difference)
{
    __m128i shift = _mm_cvtsi32_si128((int)error_shift);
    uint32_t i = 0;
    for (; i + 16 <= n; i += 16) {
        __m256i x = load(sample, i);
        store(error, i, error_of(x, load(s->base, i), load(s->fraction, i), shift));
        if (reference)
            store(difference, i, difference_of(x, load(reference, i)));
    }
    Scratch rest = *s;
    rest.base += i;
    rest.fraction += i;
    note_portable(sample + i, reference ? reference + i : NULL, &rest, n - i, error_shift,
                  error + i, reference ? difference + i : NULL);
}

static inline __m256i select32(__m256i mask, __m256i yes, __m256i no)
{
    return _mm256_blendv_epi8(no, yes, mask);
}

static inline __attribute__((always_inline)) void
predict_classes(const Neighbours *near, const Coefficients *sets, unsigned classes,
                unsigned bits, uint32_t n, Scratch *s)
{
    __m256i weight[CLASSES][TAPS / 2], offset[CLASSES];
    for (unsigned class = 0; class < classes; class++) {
        const Coefficients *set = &sets[class];
        for (int k = 0; k < TAPS / 2; k++) {
            int32_t pair;
            memcpy(&pair, set->tap + 2 * k, 4);
            weight[class][k] = _mm256_set1_epi32(pair);
        }
        offset[class] = _mm256_set1_epi32(set->offset + 128);
    }
    __m256i low = _mm256_set1_epi32(-(8 << bits)),
            high = _mm256_set1_epi32(((1 << (bits - 1)) - 1) * 16),
            two = _mm256_set1_epi32(2), fifteen = _mm256_set1_epi32(15);
    int pairs = near->taps / 2;
    for (uint32_t i = 0; i < n; i += 16) {
        __m256i left[CLASSES], right[CLASSES];
        for (unsigned class = 0; class < classes; class++)
            left[class] = right[class] = offset[class];
        for (int k = 0; k < pairs; k++) {
            __m256i a = _mm256_loadu_si256((const void *)(near->tap[2 * k] + i));
            __m256i b = _mm256_loadu_si256((const void *)(near->tap[2 * k + 1] + i));
            __m256i ab = _mm256_unpacklo_epi16(a, b), cd = _mm256_unpackhi_epi16(a, b);
            for (unsigned class = 0; class < classes; class++) {
                left[class] = _mm256_add_epi32(left[class], _mm256_madd_epi16(ab, weight[class][k]));
                right[class] =
                    _mm256_add_epi32(right[class], _mm256_madd_epi16(cd, weight[class][k]));
            }
        }
        __m256i l = left[0], r = right[0];
        if (classes > 1) {
            __m256i of = _mm256_loadu_si256((const void *)(s->class_of + i));
            __m256i lo = _mm256_unpacklo_epi16(of, of), hi = _mm256_unpackhi_epi16(of, of);
            for (unsigned class = 1; class < classes; class++) {
                __m256i is = _mm256_set1_epi16((short)class);
                l = select32(_mm256_cmpeq_epi16(lo, is), left[class], l);
                r = select32(_mm256_cmpeq_epi16(hi, is), right[class], r);
            }
        }
        l = _mm256_srai_epi32(l, 8);
        r = _mm256_srai_epi32(r, 8);
        l = _mm256_add_epi32(_mm256_min_epi32(_mm256_max_epi32(l, low), high), two);
        r = _mm256_add_epi32(_mm256_min_epi32(_mm256_max_epi32(r, low), high), two);
        _mm256_storeu_si256((void *)(s->base + i),
                            _mm256_packs_epi32(_mm256_srai_epi32(l, 4), _mm256_srai_epi32(r, 4)));
        _mm256_storeu_si256(
            (void *)(s->fraction + i),
            _mm256_packs_epi32(_mm256_and_si256(l, fifteen), _mm256_and_si256(r, fifteen)));
    }
}

static void predict_avx2(const Neighbours *near, const Coefficients *sets, unsigned classes,
                         unsigned bits, uint32_t n, Scratch *s)
{
    switch (classes) { /* so that loops over classes are unrolled */
    case 1: predict_classes(near, sets, 1, bits, n, s); break;
    case 2: predict_classes(near, sets, 2, bits, n, s); break;
    case 3: predict_classes(near, sets, 3, bits, n, s); break;
    default: predict_classes(near, sets, 4, bits, n, s);
    }
}

static void features_avx2(const Neighbours *near, const int16_t *sample, uint32_t n,
                          int16_t *rows, size_t stride)
{
    const int16_t *base = near->tap[near->base_tap];
    __m256i most = _mm256_set1_epi16(CLAMP), least = _mm256_set1_epi16(-CLAMP);
    for (int k = 0, row = 0; k <= near->taps; k++) {
        if ((unsigned)k == near->base_tap)
            continue;
        const int16_t *from = k < near->taps ? near->tap[k] : sample;
        int16_t *to = rows + stride * (size_t)(k < near->taps ? row : FEATURES);
        for (uint32_t i = 0; i < n; i += 16) {
            __m256i apart = _mm256_subs_epi16(load(from, i), load(base, i));
            store(to, i, _mm256_min_epi16(_mm256_max_epi16(apart, least), most));
        }
        row++;
    }
}

static inline int32_t total(__m256i v)
{
    __m128i x = _mm_add_epi32(_mm256_castsi256_si128(v), _mm256_extracti128_si256(v, 1));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0x4E));
    x = _mm_add_epi32(x, _mm_shuffle_epi32(x, 0xB1));
    return _mm_cvtsi128_si32(x);
}

/* Rows are padded with zeros to a multiple of 16. */
static void products_avx2(const int16_t *rows, size_t stride, unsigned count, uint32_t n,
                          int64_t *sums)
{
    for (unsigned a = 0; a < count; a++) {
        const int16_t *x = rows + a * stride;
        unsigned b = 0;
        for (; b + 4 <= a + 1; b += 4) {
            const int16_t *y = rows + b * stride;
            __m256i s0 = _mm256_setzero_si256(), s1 = s0, s2 = s0, s3 = s0;
            for (uint32_t i = 0; i < n; i += 16) {
                __m256i v = _mm256_loadu_si256((const void *)(x + i));
#define MADD(k) _mm256_madd_epi16(v, _mm256_loadu_si256((const void *)(y + k * stride + i)))
                s0 = _mm256_add_epi32(s0, MADD(0));
                s1 = _mm256_add_epi32(s1, MADD(1));
                s2 = _mm256_add_epi32(s2, MADD(2));
                s3 = _mm256_add_epi32(s3, MADD(3));
#undef MADD
            }
            *sums++ += total(s0);
            *sums++ += total(s1);
            *sums++ += total(s2);
            *sums++ += total(s3);
        }
        for (; b <= a; b++) {
            const int16_t *y = rows + b * stride;
            __m256i s0 = _mm256_setzero_si256();
            for (uint32_t i = 0; i < n; i += 16)
                s0 = _mm256_add_epi32(
                    s0, _mm256_madd_epi16(_mm256_loadu_si256((const void *)(x + i)),
                                          _mm256_loadu_si256((const void *)(y + i))));
            *sums++ += total(s0);
        }
    }
}
#ifdef __clang__
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif

static const Kernels PORTABLE = {
    "portable", classify_portable, energy_portable, predict_portable, note_portable,
    differ_portable, features_portable, products_portable,
};
#ifdef HAVE_AVX2
static const Kernels AVX2 = {
    "avx2", classify_avx2, energy_avx2, predict_avx2, note_avx2, differ_avx2, features_avx2,
    products_avx2,
};
#endif

static bool only_portable;

void lpc_force_portable(bool force)
{
    only_portable = force;
}

const Kernels *kernels(void)
{
#ifdef HAVE_AVX2
    if (!only_portable && __builtin_cpu_supports("avx2"))
        return &AVX2;
#endif
    return &PORTABLE;
}

const char *lpc_path(void)
{
    return kernels()->name;
}
