/* FFV1 (RFC 9043), versions 0 and 1, of gray frames: by the range coder, or by Golomb-Rice codes. */

#include "ffv1.h"

#include <stdlib.h>
#include <string.h>

enum {
    TABLES = 5, CONTEXT = 32, /* chances of a symbol */
    MOST_CONTEXTS = 32768, MOST_OVER = 2, /* bytes behind the end that a sound packet may ask for */
    RICE = 0, CUSTOM = 2, /* ways of coding; 1 is the range coder with its own table */
    ESCAPE = 12,          /* zeros before a Golomb code that is stored as it is */
    BORDER = 3,           /* samples before and behind a line */
};

typedef struct {
    const uint8_t *start, *at, *end;
    uint32_t low, range, over;
    uint8_t zero[256], one[256]; /* a chance after a bit */
} Range;

typedef struct {
    const uint8_t *data;
    size_t at, bits; /* in bits */
} Bits;

typedef struct {
    int16_t drift, count;
    uint16_t error_sum;
    int8_t bias;
} Rice;

struct Ffv1 {
    uint32_t height, width;
    unsigned bits;
    bool begun;
    unsigned coder, contexts;
    int16_t quant[TABLES][256];
    uint8_t transition[256];
    uint8_t *chance; /* of the contexts */
    Rice *rice;      /* instead */
    int16_t *lines;  /* two of them */
    Range range;
    Bits golomb;
};

/* ---- Range coder ---- */

/* The table of chances that RFC 9043 lists (section 3.8.1.3). */
static void default_table(Range *r)
{
    const int64_t one = 1ll << 32, factor = 214748364; /* 0.05 */
    const int most = 256 - 8;
    int64_t p = one / 2;
    int last = 0;
    memset(r->one, 0, sizeof r->one);
    memset(r->zero, 0, sizeof r->zero);
    for (int i = 0; i < 128; i++) {
        int next = (int)((256 * p + one / 2) >> 32);
        next = next <= last ? last + 1 : next;
        if (last && last < 256 && next <= most)
            r->one[last] = (uint8_t)next;
        p += ((one - p) * factor + one / 2) >> 32;
        last = next;
    }
    for (int i = 256 - most; i <= most; i++) {
        if (r->one[i])
            continue;
        p = (i * one + 128) >> 8;
        p += ((one - p) * factor + one / 2) >> 32;
        int next = (int)((256 * p + one / 2) >> 32);
        next = next <= i ? i + 1 : next;
        r->one[i] = (uint8_t)(next > most ? most : next);
    }
    for (int i = 1; i < 255; i++)
        r->zero[i] = (uint8_t)(256 - r->one[256 - i]);
}

static void open_range(Range *r, const uint8_t *packet, size_t size)
{
    r->start = packet;
    r->at = packet + 2;
    r->end = packet + size;
    r->low = (uint32_t)packet[0] << 8 | packet[1];
    r->range = 0xFF00;
    r->over = 0;
    if (r->low >= 0xFF00) {
        r->low = 0xFF00;
        r->end = r->at;
    }
    default_table(r);
}

static inline unsigned get_bit(Range *r, uint8_t *chance)
{
    uint32_t part = (r->range * *chance) >> 8;
    unsigned bit;
    r->range -= part;
    if (r->low < r->range) {
        *chance = r->zero[*chance];
        bit = 0;
    } else {
        r->low -= r->range;
        *chance = r->one[*chance];
        r->range = part;
        bit = 1;
    }
    if (r->range < 0x100) {
        r->range <<= 8;
        r->low <<= 8;
        if (r->at < r->end)
            r->low += *r->at++;
        else
            r->over++;
    }
    return bit;
}

static int32_t get_symbol(Range *r, uint8_t *chance, bool is_signed)
{
    if (get_bit(r, chance))
        return 0;
    unsigned e = 0;
    while (e < 31 && get_bit(r, chance + 1 + (e < 9 ? e : 9)))
        e++;
    uint32_t a = 1;
    for (unsigned i = e; i-- > 0;)
        a += a + get_bit(r, chance + 22 + (i < 9 ? i : 9));
    bool negative = is_signed && get_bit(r, chance + 11 + (e < 10 ? e : 10));
    return (int32_t)(negative ? -a : a);
}

/* ---- Golomb-Rice codes ---- */

static uint32_t take(Bits *b, unsigned count)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < count; i++, b->at++)
        value = value << 1 | (b->at < b->bits ? b->data[b->at / 8] >> (7 - b->at % 8) & 1 : 0);
    return value;
}

static int32_t get_rice(Bits *b, Rice *s, unsigned bits)
{
    unsigned k = 0, zeros = 0;
    for (uint32_t i = (uint32_t)s->count; i < s->error_sum; i += i)
        k++;
    while (zeros < ESCAPE && !take(b, 1))
        zeros++;
    uint32_t code = zeros < ESCAPE ? (zeros << k) + take(b, k) : take(b, bits) + ESCAPE - 1;
    int32_t v = (int32_t)(code >> 1) ^ -(int32_t)(code & 1);
    v ^= 2 * s->drift + s->count < 0 ? -1 : 0;
    uint32_t half = 1u << (bits - 1), mask = 2 * half - 1;
    int32_t folded = (int32_t)(((uint32_t)(v + s->bias) + half) & mask) - (int32_t)half;
    int drift = s->drift + v, count = s->count;
    unsigned sum = s->error_sum + (unsigned)(v < 0 ? -v : v);
    if (count == 128) {
        count >>= 1;
        drift >>= 1;
        sum >>= 1;
    }
    count++;
    if (drift <= -count) {
        s->bias -= s->bias > -128;
        drift = drift + count > -count ? drift + count : -count + 1;
    } else if (drift > 0) {
        s->bias += s->bias < 127;
        drift = drift - count < 0 ? drift - count : 0;
    }
    s->error_sum = (uint16_t)sum;
    s->drift = (int16_t)drift;
    s->count = (int16_t)count;
    return folded;
}

/* ---- Headers ---- */

static bool read_quant(Range *r, int16_t *table, unsigned scale, unsigned *levels)
{
    uint8_t chance[CONTEXT];
    memset(chance, 128, sizeof chance);
    unsigned level = 0;
    for (unsigned i = 0; i < 128; level++) {
        int32_t length = get_symbol(r, chance, false);
        if (length < 0 || length >= (int32_t)(128 - i) || scale * level > MOST_CONTEXTS)
            return false;
        for (length++; length--;)
            table[i++] = (int16_t)(scale * level);
    }
    for (unsigned i = 1; i < 128; i++)
        table[256 - i] = (int16_t)-table[i];
    table[128] = (int16_t)-table[127];
    *levels = 2 * level - 1;
    return true;
}

static bool read_header(Ffv1 *d)
{
    Range *r = &d->range;
    uint8_t chance[CONTEXT];
    memset(chance, 128, sizeof chance);
    int32_t version = get_symbol(r, chance, false);
    int32_t coder = get_symbol(r, chance, false);
    if (version < 0 || version > 1 || coder < RICE || coder > CUSTOM)
        return false;
    for (int i = 1; i < 256 && coder == CUSTOM; i++)
        d->transition[i] = (uint8_t)(get_symbol(r, chance, true) + r->one[i]);
    int32_t space = get_symbol(r, chance, false);
    int32_t bits = version ? get_symbol(r, chance, false) : 8;
    bool chroma = get_bit(r, chance);
    get_symbol(r, chance, false); /* how much smaller chroma is */
    get_symbol(r, chance, false);
    bool alpha = get_bit(r, chance);
    if (space || chroma || alpha || (unsigned)(bits ? bits : 8) != d->bits ||
        (coder == RICE && d->bits > 8))
        return false;
    unsigned contexts = 1;
    for (int i = 0; i < TABLES; i++) {
        unsigned levels;
        if (!read_quant(r, d->quant[i], contexts, &levels))
            return false;
        contexts *= levels;
        if (contexts > 2 * MOST_CONTEXTS)
            return false;
    }
    contexts = (contexts + 1) / 2;
    free(d->chance);
    free(d->rice);
    d->chance = NULL;
    d->rice = NULL;
    d->coder = (unsigned)coder;
    d->contexts = contexts;
    if (coder == RICE) {
        d->rice = malloc(contexts * sizeof *d->rice);
        for (unsigned i = 0; d->rice && i < contexts; i++)
            d->rice[i] = (Rice){.error_sum = 4, .count = 1};
    } else {
        d->chance = malloc((size_t)contexts * CONTEXT);
        if (d->chance)
            memset(d->chance, 128, (size_t)contexts * CONTEXT);
    }
    return d->chance || d->rice;
}

/* ---- Samples ---- */

static inline int median(int a, int b, int c)
{
    int low = a < b ? a : b, high = a < b ? b : a;
    return c < low ? low : c > high ? high : c;
}

static inline int predict(const int16_t *now, const int16_t *above)
{
    return median(now[-1], now[-1] + above[0] - above[-1], above[0]);
}

static inline int context_of(const Ffv1 *d, const int16_t *now, const int16_t *above)
{
    int left = now[-1], top = above[0], corner = above[-1];
    int context = d->quant[0][(left - corner) & 255] + d->quant[1][(corner - top) & 255] +
                  d->quant[2][(top - above[1]) & 255];
    if (d->quant[3][127] || d->quant[4][127]) /* `now` still has the line two above */
        context += d->quant[3][(now[-2] - left) & 255] + d->quant[4][(now[0] - top) & 255];
    return context;
}

/* A difference by Golomb-Rice codes, in which equal neighbours make runs. */
typedef struct {
    unsigned index; /* goes on from line to line */
    int mode, count;
} Run;

static const uint8_t LOG2_RUN[41] = {0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3,
                                     3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11,
                                     12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24};

static int32_t run_difference(Ffv1 *d, Run *run, unsigned context, uint32_t *x, int16_t *now,
                              const int16_t *above)
{
    if (!context && !run->mode)
        run->mode = 1;
    if (!run->mode)
        return get_rice(&d->golomb, &d->rice[context], d->bits);
    if (!run->count && run->mode == 1) {
        unsigned length = LOG2_RUN[run->index];
        if (take(&d->golomb, 1)) {
            run->count = 1 << length;
            if (*x + (uint32_t)run->count <= d->width && run->index < 40)
                run->index++;
        } else {
            run->count = (int)take(&d->golomb, length);
            run->index -= run->index > 0;
            run->mode = 2;
        }
    }
    for (; run->count > 1 && d->width - *x > 1; ++*x, run->count--)
        now[*x] = (int16_t)predict(now + *x, above + *x);
    if (--run->count >= 0)
        return 0;
    run->mode = run->count = 0;
    int32_t difference = get_rice(&d->golomb, &d->rice[context], d->bits);
    return difference + (difference >= 0);
}

static void decode_line(Ffv1 *d, Run *run, int16_t *now, const int16_t *above)
{
    uint32_t mask = (1u << d->bits) - 1;
    run->mode = run->count = 0;
    for (uint32_t x = 0; x < d->width; x++) {
        int context = context_of(d, now + x, above + x);
        bool negative = context < 0;
        unsigned place = (unsigned)(negative ? -context : context);
        place = place < d->contexts ? place : 0;
        int32_t difference = d->coder == RICE
            ? run_difference(d, run, place, &x, now, above)
            : get_symbol(&d->range, d->chance + (size_t)place * CONTEXT, true);
        uint32_t apart = negative ? -(uint32_t)difference : (uint32_t)difference;
        now[x] = (int16_t)(((uint32_t)predict(now + x, above + x) + apart) & mask);
    }
}

bool ffv1_decode(Ffv1 *d, const uint8_t *packet, size_t size, void *out)
{
    if (size < 2)
        return false;
    Range *r = &d->range;
    uint8_t key = 128;
    open_range(r, packet, size);
    if (get_bit(r, &key)) {
        d->begun = read_header(d);
    }
    if (!d->begun)
        return false;
    if (d->coder == RICE) {
        const uint8_t *from = r->at - 1;
        d->golomb = (Bits){from, 0, 8 * (size_t)(packet + size - from)};
    } else if (d->coder == CUSTOM) {
        for (int i = 1; i < 256; i++) {
            r->one[i] = d->transition[i];
            r->zero[256 - i] = (uint8_t)(256 - r->one[i]);
        }
    }
    size_t line = (size_t)d->width + 2 * BORDER;
    memset(d->lines, 0, 2 * line * sizeof *d->lines);
    int16_t *above = d->lines + BORDER, *now = above + line;
    Run run = {0, 0, 0};
    for (uint32_t y = 0; y < d->height; y++) {
        now[-1] = above[0];
        above[d->width] = above[d->width - 1];
        decode_line(d, &run, now, above);
        if (r->over > MOST_OVER || (d->coder == RICE && d->golomb.at > d->golomb.bits))
            return false;
        for (uint32_t x = 0; x < d->width; x++)
            if (d->bits <= 8)
                ((uint8_t *)out)[(size_t)y * d->width + x] = (uint8_t)now[x];
            else
                ((uint16_t *)out)[(size_t)y * d->width + x] = (uint16_t)now[x];
        int16_t *spare = above;
        above = now;
        now = spare;
    }
    return true;
}

Ffv1 *ffv1_open(uint32_t height, uint32_t width, unsigned bits)
{
    Ffv1 *d = calloc(1, sizeof *d);
    if (!d)
        return NULL;
    d->height = height;
    d->width = width;
    d->bits = bits;
    d->lines = malloc(2 * ((size_t)width + 2 * BORDER) * sizeof *d->lines);
    if (!d->lines) {
        free(d);
        return NULL;
    }
    return d;
}

void ffv1_close(Ffv1 *d)
{
    if (!d)
        return;
    free(d->chance);
    free(d->rice);
    free(d->lines);
    free(d);
}
