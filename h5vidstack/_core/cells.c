/* Samples between rows, as pixels have them, and steps, as frames have them. */

#include "model.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

/* Samples x to `end` - 1 of a row, one by one. */
static void take_some(const void *row, unsigned size, uint32_t x, uint32_t end, int32_t half,
                      const int64_t *start, int16_t *sample)
{
    if (size == 1)
        for (; x < end; x++)
            sample[start[x]] = (int16_t)(((const uint8_t *)row)[x] - half);
    else
        for (; x < end; x++)
            sample[start[x]] = (int16_t)(((const uint16_t *)row)[x] - half);
}

static void give_some(void *row, unsigned size, size_t apart, uint32_t x, uint32_t end,
                      int32_t half, const int64_t *start, const int16_t *sample)
{
    if (size == 1)
        for (; x < end; x++)
            ((uint8_t *)row)[apart * x] = (uint8_t)(sample[start[x]] + half);
    else
        for (; x < end; x++)
            ((uint16_t *)row)[apart * x] = (uint16_t)(sample[start[x]] + half);
}

enum {
    BAND = 8,               /* rows, and steps, of a square that vector code turns */
    LEAD = 2 * (BAND - 1),  /* samples of the first row of a band before its first square */
};

#ifdef __SSE2__
static __m128i load_8(const void *p)
{
    return _mm_loadl_epi64(p);
}

/* Rows of 8 bytes each to columns, two to a vector. */
static void turn_bytes(const __m128i *r, __m128i *columns)
{
    __m128i a0 = _mm_unpacklo_epi8(r[0], r[1]), a1 = _mm_unpacklo_epi8(r[2], r[3]);
    __m128i a2 = _mm_unpacklo_epi8(r[4], r[5]), a3 = _mm_unpacklo_epi8(r[6], r[7]);
    __m128i b0 = _mm_unpacklo_epi16(a0, a1), b1 = _mm_unpackhi_epi16(a0, a1);
    __m128i b2 = _mm_unpacklo_epi16(a2, a3), b3 = _mm_unpackhi_epi16(a2, a3);
    columns[0] = _mm_unpacklo_epi32(b0, b2);
    columns[1] = _mm_unpackhi_epi32(b0, b2);
    columns[2] = _mm_unpacklo_epi32(b1, b3);
    columns[3] = _mm_unpackhi_epi32(b1, b3);
}

/* Rows of 8 words each to columns. */
static void turn_words(__m128i *r)
{
    __m128i a[BAND], b[BAND];
    for (int k = 0; k < 4; k++) {
        a[k] = _mm_unpacklo_epi16(r[2 * k], r[2 * k + 1]);
        a[4 + k] = _mm_unpackhi_epi16(r[2 * k], r[2 * k + 1]);
    }
    for (int k = 0; k < 4; k++) {
        b[2 * k] = _mm_unpacklo_epi32(a[2 * k], a[2 * k + 1]);
        b[2 * k + 1] = _mm_unpackhi_epi32(a[2 * k], a[2 * k + 1]);
    }
    for (int k = 0; k < 2; k++) { /* b[0], b[2]: columns 0 and 1 of rows 0 to 3, and of 4 to 7 */
        r[4 * k] = _mm_unpacklo_epi64(b[4 * k], b[4 * k + 2]);
        r[4 * k + 1] = _mm_unpackhi_epi64(b[4 * k], b[4 * k + 2]);
        r[4 * k + 2] = _mm_unpacklo_epi64(b[4 * k + 1], b[4 * k + 3]);
        r[4 * k + 3] = _mm_unpackhi_epi64(b[4 * k + 1], b[4 * k + 3]);
    }
}

/* A square: row i begins 2 i samples before the first one, so that its columns are steps. */
static inline void take_square(const uint8_t *first, size_t pitch, unsigned size, __m128i half,
                               const int64_t *start, int16_t *sample)
{
    __m128i row[BAND], pair[BAND / 2];
    for (size_t i = 0; i < BAND; i++) {
        const uint8_t *at = first + i * pitch - 2 * i * size;
        row[i] = size == 1 ? load_8(at) : _mm_loadu_si128((const void *)at);
    }
    if (size == 1) {
        turn_bytes(row, pair);
        for (int k = 0; k < BAND / 2; k++) {
            row[2 * k] = _mm_unpacklo_epi8(pair[k], _mm_setzero_si128());
            row[2 * k + 1] = _mm_unpackhi_epi8(pair[k], _mm_setzero_si128());
        }
    } else {
        turn_words(row);
    }
    for (int k = 0; k < BAND; k++)
        _mm_storeu_si128((void *)(sample + start[k]), _mm_sub_epi16(row[k], half));
}

static inline void give_square(uint8_t *first, size_t pitch, unsigned size, __m128i half,
                               const int64_t *start, const int16_t *sample)
{
    __m128i step[BAND], pair[BAND / 2];
    for (int k = 0; k < BAND; k++)
        step[k] = _mm_add_epi16(_mm_loadu_si128((const void *)(sample + start[k])), half);
    if (size == 1) {
        for (int k = 0; k < BAND; k++) {
            step[k] = _mm_and_si128(step[k], _mm_set1_epi16(255));
            step[k] = _mm_packus_epi16(step[k], step[k]);
        }
        turn_bytes(step, pair);
        for (size_t i = 0; i < BAND; i++) {
            __m128i row = i % 2 ? _mm_srli_si128(pair[i / 2], 8) : pair[i / 2];
            _mm_storel_epi64((void *)(first + i * pitch - 2 * i), row);
        }
    } else {
        turn_words(step);
        for (size_t i = 0; i < BAND; i++)
            _mm_storeu_si128((void *)(first + i * pitch - 4 * i), step[i]);
    }
}
#endif

/* How many squares stand side by side in a band of rows. */
static uint32_t squares_of(const Geometry *g, uint32_t y)
{
#ifdef __SSE2__
    if (g->height - y >= BAND && g->width >= LEAD + BAND)
        return (g->width - LEAD) / BAND;
#else
    (void)g, (void)y;
#endif
    return 0;
}

static const int64_t *starts_of(const Geometry *g, uint32_t y)
{
    return &g->start[2 * (int64_t)y + STEPS_BEFORE];
}

void take_samples(const void *samples, unsigned size, unsigned bits, const Geometry *g,
                  int16_t *sample)
{
    int32_t half = 1 << (bits - 1);
    size_t pitch = (size_t)g->width * size;
    for (uint32_t y = 0; y < g->height;) {
        const uint8_t *row = (const uint8_t *)samples + y * pitch;
        uint32_t squares = squares_of(g, y), rows = squares ? BAND : 1;
#ifdef __SSE2__
        for (uint32_t k = 0, x = LEAD; k < squares; k++, x += BAND)
            take_square(row + (size_t)x * size, pitch, size, _mm_set1_epi16((short)half),
                        starts_of(g, y) + x, sample + y);
#endif
        for (uint32_t i = 0; i < rows; i++, y++, row += pitch) {
            uint32_t from = squares ? LEAD - 2 * i : 0, to = from + BAND * squares;
            take_some(row, size, 0, from, half, starts_of(g, y), sample + y);
            take_some(row, size, to, g->width, half, starts_of(g, y), sample + y);
        }
    }
}

void give_samples(const int16_t *sample, const Geometry *g, unsigned bits, const LpcOutput *out,
                  size_t first)
{
    int32_t half = 1 << (bits - 1);
    size_t pitch = out->row * out->size;
    for (uint32_t y = 0; y < g->height;) {
        uint8_t *row = (uint8_t *)out->data + first * out->size + y * pitch;
        uint32_t squares = out->sample == 1 ? squares_of(g, y) : 0, rows = squares ? BAND : 1;
#ifdef __SSE2__
        for (uint32_t k = 0, x = LEAD; k < squares; k++, x += BAND)
            give_square(row + (size_t)x * out->size, pitch, out->size,
                        _mm_set1_epi16((short)half), starts_of(g, y) + x, sample + y);
#endif
        for (uint32_t i = 0; i < rows; i++, y++, row += pitch) {
            uint32_t from = squares ? LEAD - 2 * i : 0, to = from + BAND * squares;
            give_some(row, out->size, out->sample, 0, from, half, starts_of(g, y), sample + y);
            give_some(row, out->size, out->sample, to, g->width, half, starts_of(g, y),
                      sample + y);
        }
    }
}
