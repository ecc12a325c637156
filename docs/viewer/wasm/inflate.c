/* Deflate (RFC 1951) in a zlib stream (RFC 1950). Every length is checked before it is used. */

#include "bytewise.h"

#include <string.h>

enum { MAX_LENGTH = 15, FAST = 10, LITERALS = 288, DISTANCES = 32 };

typedef struct {
    const uint8_t *at, *end;
    uint64_t bits; /* read and not used, the next one lowest */
    unsigned count;
    uint8_t *start, *to, *stop;
} State;

/* A canonical Huffman code. */
typedef struct {
    uint16_t count[MAX_LENGTH + 1]; /* of symbols of each length */
    uint16_t symbol[LITERALS];      /* in the order of their codes */
    uint16_t fast[1 << FAST];       /* of the next bits: symbol << 4 | length; 0 for longer codes */
} Code;

static void fill(State *s, unsigned count)
{
    while (s->count < count) {
        s->bits |= (uint64_t)(s->at < s->end ? *s->at : 0) << s->count;
        s->at++; /* bytes behind the end are zeros, and are found in the end */
        s->count += 8;
    }
}

static unsigned take(State *s, unsigned count)
{
    fill(s, count);
    unsigned taken = (unsigned)(s->bits & ((1u << count) - 1));
    s->bits >>= count;
    s->count -= count;
    return taken;
}

/* False where lengths give more codes than there are; fewer are let through, and fail if used. */
static bool build(Code *code, const uint8_t *lengths, unsigned count)
{
    uint16_t offset[MAX_LENGTH + 2] = {0};
    memset(code, 0, sizeof *code);
    for (unsigned i = 0; i < count; i++)
        code->count[lengths[i]]++;
    code->count[0] = 0;
    int left = 1;
    for (unsigned length = 1; length <= MAX_LENGTH; length++) {
        left = 2 * left - code->count[length];
        if (left < 0)
            return false;
        offset[length + 1] = offset[length] + code->count[length];
    }
    uint16_t next[MAX_LENGTH + 1] = {0};
    for (unsigned length = 1, first = 0; length <= MAX_LENGTH; length++) {
        first = (first + code->count[length - 1]) << 1;
        next[length] = (uint16_t)first;
    }
    for (unsigned i = 0; i < count; i++) {
        unsigned length = lengths[i];
        if (!length)
            continue;
        code->symbol[offset[length]++] = (uint16_t)i;
        unsigned word = next[length]++, reversed = 0;
        for (unsigned bit = 0; bit < length; bit++)
            reversed |= (word >> bit & 1) << (length - 1 - bit);
        for (unsigned at = reversed; length <= FAST && at < 1 << FAST; at += 1u << length)
            code->fast[at] = (uint16_t)(i << 4 | length);
    }
    return true;
}

static int next_symbol(State *s, const Code *code)
{
    fill(s, MAX_LENGTH);
    unsigned found = code->fast[s->bits & ((1 << FAST) - 1)];
    if (found) {
        s->bits >>= found & 15;
        s->count -= found & 15;
        return (int)(found >> 4);
    }
    int word = 0, first = 0, index = 0;
    for (unsigned length = 1; length <= MAX_LENGTH; length++) {
        word |= (int)(s->bits >> (length - 1) & 1);
        int count = code->count[length];
        if (word - count < first) {
            s->bits >>= length;
            s->count -= length;
            return code->symbol[index + word - first];
        }
        index += count;
        first = (first + count) << 1;
        word <<= 1;
    }
    return -1;
}

static bool copy_symbols(State *s, const Code *literals, const Code *distances)
{
    static const uint16_t LENGTH[29] = {3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35,
                                        43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static const uint8_t LENGTH_BITS[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3,
                                            3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    for (;;) {
        int symbol = next_symbol(s, literals);
        if (symbol == 256)
            return true;
        if (symbol < 0 || symbol > 285 || s->to == s->stop || s->at > s->end + 8)
            return false;
        if (symbol < 256) {
            *s->to++ = (uint8_t)symbol;
            continue;
        }
        size_t length = LENGTH[symbol - 257] + take(s, LENGTH_BITS[symbol - 257]);
        int slot = next_symbol(s, distances);
        if (slot < 0 || slot > 29)
            return false;
        unsigned more = slot < 4 ? 0 : (unsigned)slot / 2 - 1;
        size_t distance = slot < 4 ? (size_t)slot + 1
                                   : ((size_t)(2 + slot % 2) << more) + 1 + take(s, more);
        if (distance > (size_t)(s->to - s->start) || length > (size_t)(s->stop - s->to))
            return false;
        for (const uint8_t *from = s->to - distance; length--;)
            *s->to++ = *from++;
    }
}

static bool copy_stored(State *s)
{
    take(s, s->count % 8);
    unsigned length = take(s, 16);
    if ((length ^ take(s, 16)) != 0xFFFF)
        return false;
    for (; length && s->count; length--) {
        if (s->to == s->stop)
            return false;
        *s->to++ = (uint8_t)take(s, 8);
    }
    if (s->at > s->end || length > (size_t)(s->end - s->at) || length > (size_t)(s->stop - s->to))
        return false;
    memcpy(s->to, s->at, length);
    s->to += length;
    s->at += length;
    return true;
}

static bool read_codes(State *s, Code *literals, Code *distances)
{
    static const uint8_t ORDER[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    uint8_t lengths[LITERALS + DISTANCES] = {0};
    unsigned of_literals = take(s, 5) + 257, of_distances = take(s, 5) + 1, some = take(s, 4) + 4;
    for (unsigned i = 0; i < some; i++)
        lengths[ORDER[i]] = (uint8_t)take(s, 3);
    if (of_literals > 286 || of_distances > 30 || !build(literals, lengths, 19))
        return false;
    memset(lengths, 0, sizeof lengths);
    for (unsigned i = 0; i < of_literals + of_distances;) {
        int symbol = next_symbol(s, literals);
        if (symbol < 0 || (symbol == 16 && !i))
            return false;
        uint8_t length = symbol < 16 ? (uint8_t)symbol : symbol == 16 ? lengths[i - 1] : 0;
        unsigned times = symbol < 16 ? 1 : symbol == 16 ? 3 + take(s, 2)
                                       : symbol == 17   ? 3 + take(s, 3)
                                                        : 11 + take(s, 7);
        if (times > of_literals + of_distances - i)
            return false;
        while (times--)
            lengths[i++] = length;
    }
    return build(literals, lengths, of_literals) &&
           build(distances, lengths + of_literals, of_distances);
}

static void fixed_codes(Code *literals, Code *distances)
{
    uint8_t lengths[LITERALS];
    for (unsigned i = 0; i < LITERALS; i++)
        lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    build(literals, lengths, LITERALS);
    memset(lengths, 5, 30);
    build(distances, lengths, 30);
}

static uint32_t adler32(const uint8_t *data, size_t size)
{
    uint32_t a = 1, b = 0;
    while (size) {
        size_t some = size < 5552 ? size : 5552; /* as many as 32 bits hold without a division */
        size -= some;
        while (some--)
            b += a += *data++;
        a %= 65521;
        b %= 65521;
    }
    return b << 16 | a;
}

bool inflate_zlib(const uint8_t *from, size_t packed, uint8_t *to, size_t size)
{
    static Code literals, distances;
    if (packed < 6 || (from[0] & 15) != 8 || (from[0] << 8 | from[1]) % 31 || from[1] & 32)
        return false;
    State s = {.at = from + 2, .end = from + packed - 4, .start = to, .to = to, .stop = to + size};
    bool last = false;
    while (!last) {
        last = take(&s, 1);
        unsigned kind = take(&s, 2);
        bool good = kind == 0;
        if (kind == 1) {
            fixed_codes(&literals, &distances);
            good = true;
        } else if (kind == 2) {
            good = read_codes(&s, &literals, &distances);
        }
        if (!good || !(kind ? copy_symbols(&s, &literals, &distances) : copy_stored(&s)))
            return false;
    }
    const uint8_t *used = s.at - s.count / 8, *sum = s.end;
    uint32_t stated = (uint32_t)sum[0] << 24 | (uint32_t)sum[1] << 16 | (uint32_t)sum[2] << 8 | sum[3];
    return used == s.end && s.to == s.stop && adler32(to, size) == stated;
}
