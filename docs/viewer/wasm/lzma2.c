/* LZMA2 without a container. What was decoded so far is the dictionary. */

#include "bytewise.h"

#include <stdlib.h>
#include <string.h>

enum {
    STATES = 12, POSITIONS = 16, SLOTS = 64, ALIGN = 16, SPECIAL = 115,
    LITERAL = 0x300, MAX_LITERAL_BITS = 4,
    HALF = 1024, /* the probability of even chances */
};

typedef struct {
    uint16_t choice, choice2, low[POSITIONS][8], mid[POSITIONS][8], high[256];
} Lengths;

/* Chances of bits: nothing but uint16_t, so that all can be set at once. */
typedef struct {
    uint16_t match[STATES][POSITIONS], rep[STATES], rep0[STATES], rep1[STATES], rep2[STATES],
        rep0_long[STATES][POSITIONS], slot[4][SLOTS], special[SPECIAL], align[ALIGN];
    Lengths match_length, rep_length;
    uint16_t literal[LITERAL << MAX_LITERAL_BITS];
} Chances;

typedef struct {
    const uint8_t *at, *end;
    uint32_t range, code;
    uint8_t *start, *to; /* of the dictionary; where the next byte goes */
    uint32_t state, rep[4], literal_context, literal_mask, position_mask;
    Chances chances;
} Decoder;

static void reset(Decoder *d)
{
    d->state = 0;
    memset(d->rep, 0, sizeof d->rep);
    uint16_t *chance = (uint16_t *)(void *)&d->chances;
    for (size_t i = 0; i < sizeof d->chances / sizeof *chance; i++)
        chance[i] = HALF;
}

static inline void normalize(Decoder *d)
{
    if (d->range < 1u << 24) {
        d->range <<= 8;
        d->code = d->code << 8 | (d->at < d->end ? *d->at : 0);
        d->at++; /* bytes behind the end are zeros, and are found in the end */
    }
}

static inline uint32_t bit(Decoder *d, uint16_t *chance)
{
    normalize(d);
    uint32_t bound = (d->range >> 11) * *chance;
    if (d->code < bound) {
        d->range = bound;
        *chance += (2048 - *chance) >> 5;
        return 0;
    }
    d->range -= bound;
    d->code -= bound;
    *chance -= *chance >> 5;
    return 1;
}

static uint32_t tree(Decoder *d, uint16_t *chances, unsigned bits)
{
    uint32_t symbol = 1;
    for (unsigned i = 0; i < bits; i++)
        symbol = symbol << 1 | bit(d, &chances[symbol]);
    return symbol - (1u << bits);
}

/* The lowest bit first. `chances` begins at symbol 1. */
static uint32_t reverse_tree(Decoder *d, uint16_t *chances, unsigned bits)
{
    uint32_t symbol = 1, value = 0;
    for (unsigned i = 0; i < bits; i++) {
        uint32_t next = bit(d, &chances[symbol - 1]);
        symbol = symbol << 1 | next;
        value |= next << i;
    }
    return value;
}

static uint32_t direct(Decoder *d, unsigned bits)
{
    uint32_t value = 0;
    while (bits--) {
        normalize(d);
        d->range >>= 1;
        uint32_t one = d->code >= d->range;
        d->code -= one ? d->range : 0;
        value = value << 1 | one;
    }
    return value;
}

static uint32_t length_of(Decoder *d, Lengths *l, uint32_t position)
{
    if (!bit(d, &l->choice))
        return 2 + tree(d, l->low[position], 3);
    if (!bit(d, &l->choice2))
        return 10 + tree(d, l->mid[position], 3);
    return 18 + tree(d, l->high, 8);
}

static uint32_t distance_of(Decoder *d, uint32_t length)
{
    uint32_t slot = tree(d, d->chances.slot[length < 6 ? length - 2 : 3], 6);
    if (slot < 4)
        return slot;
    unsigned bits = (slot >> 1) - 1;
    uint32_t distance = (2 | (slot & 1)) << bits;
    if (slot < 14)
        return distance + reverse_tree(d, d->chances.special + distance - slot, bits);
    distance += direct(d, bits - 4) << 4;
    return distance + reverse_tree(d, d->chances.align + 1, 4);
}

static void literal(Decoder *d)
{
    size_t position = (size_t)(d->to - d->start);
    uint32_t before = position ? d->to[-1] : 0;
    uint32_t context = (uint32_t)(((position & d->literal_mask) << d->literal_context) +
                                  (before >> (8 - d->literal_context)));
    uint16_t *chances = d->chances.literal + LITERAL * context;
    uint32_t symbol = 1;
    if (d->state >= 7) {
        uint32_t match = d->to[-(ptrdiff_t)d->rep[0] - 1], offset = 0x100;
        while (symbol < 0x100) {
            match <<= 1;
            uint32_t wanted = match & offset, next = bit(d, &chances[offset + wanted + symbol]);
            symbol = symbol << 1 | next;
            offset = next ? wanted : offset & ~wanted;
        }
    } else {
        while (symbol < 0x100)
            symbol = symbol << 1 | bit(d, &chances[symbol]);
    }
    *d->to++ = (uint8_t)symbol;
    d->state = d->state < 4 ? 0 : d->state < 10 ? d->state - 3 : d->state - 6;
}

/* A length of a match, whose distance is rep[0]; 1 for a short repetition. */
static uint32_t match(Decoder *d, uint32_t position)
{
    Chances *c = &d->chances;
    uint32_t state = d->state;
    if (!bit(d, &c->rep[state])) {
        memmove(d->rep + 1, d->rep, 3 * sizeof *d->rep);
        d->state = state < 7 ? 7 : 10;
        uint32_t length = length_of(d, &c->match_length, position);
        d->rep[0] = distance_of(d, length);
        return length;
    }
    if (!bit(d, &c->rep0[state])) {
        if (!bit(d, &c->rep0_long[state][position])) {
            d->state = state < 7 ? 9 : 11;
            return 1;
        }
    } else {
        unsigned which = !bit(d, &c->rep1[state]) ? 1 : 2 + bit(d, &c->rep2[state]);
        uint32_t distance = d->rep[which];
        memmove(d->rep + 1, d->rep, which * sizeof *d->rep);
        d->rep[0] = distance;
    }
    d->state = state < 7 ? 8 : 11;
    return length_of(d, &c->rep_length, position);
}

/* One chunk of `size` bytes. Its matches end with it. */
static bool decode_chunk(Decoder *d, size_t packed, size_t size)
{
    const uint8_t *end = d->at + packed;
    if (packed < 5 || d->at[0])
        return false;
    d->end = end;
    d->range = UINT32_MAX;
    d->code = (uint32_t)d->at[1] << 24 | (uint32_t)d->at[2] << 16 | (uint32_t)d->at[3] << 8 | d->at[4];
    d->at += 5;
    const uint8_t *stop = d->to + size;
    while (d->to < stop) {
        uint32_t position = (uint32_t)(d->to - d->start) & d->position_mask;
        size_t known = (size_t)(d->to - d->start);
        if (!bit(d, &d->chances.match[d->state][position])) {
            if (d->state >= 7 && d->rep[0] >= known)
                return false;
            literal(d);
            continue;
        }
        uint32_t length = match(d, position);
        if (d->rep[0] >= known || length > (size_t)(stop - d->to))
            return false;
        for (const uint8_t *from = d->to - d->rep[0] - 1; length--;)
            *d->to++ = *from++;
    }
    normalize(d);
    return d->at == end && !d->code;
}

static bool set_properties(Decoder *d, unsigned properties)
{
    unsigned lc = properties % 9, lp = properties / 9 % 5, pb = properties / 45;
    if (pb > 4 || lc + lp > MAX_LITERAL_BITS)
        return false;
    d->literal_context = lc;
    d->literal_mask = (1u << lp) - 1;
    d->position_mask = (1u << pb) - 1;
    return true;
}

static bool decode_chunks(Decoder *d, const uint8_t *end, const uint8_t *stop)
{
    bool begun = false, ready = false; /* there is a dictionary; properties are known */
    while (d->at < end) {
        unsigned control = *d->at++;
        if (!control)
            return d->at == end && d->to == stop;
        bool coded = control & 0x80;
        if ((!coded && control > 2) || end - d->at < (coded ? 4 : 2))
            return false;
        size_t size = ((size_t)d->at[0] << 8 | d->at[1]) + 1, packed = size;
        d->at += 2;
        unsigned resets = coded ? control >> 5 & 3 : 0;
        if (control == 1 || resets == 3) {
            d->start = d->to;
            begun = true;
        }
        if (coded) {
            size += (size_t)(control & 0x1F) << 16;
            packed = ((size_t)d->at[0] << 8 | d->at[1]) + 1;
            d->at += 2;
            if (resets >= 2) {
                if (d->at == end || !set_properties(d, *d->at++))
                    return false;
                ready = true;
            }
            if (resets)
                reset(d);
        }
        if (!begun || (coded && !ready) || packed > (size_t)(end - d->at) ||
            size > (size_t)(stop - d->to))
            return false;
        if (coded) {
            if (!decode_chunk(d, packed, size))
                return false;
        } else {
            memcpy(d->to, d->at, size);
            d->to += size;
            d->at += size;
        }
    }
    return false;
}

bool decode_lzma2(const uint8_t *from, size_t packed, uint8_t *to, size_t size)
{
    Decoder *decoder = malloc(sizeof *decoder);
    if (!decoder)
        return false;
    decoder->at = from;
    decoder->start = decoder->to = to;
    bool decoded = decode_chunks(decoder, from + packed, to + size);
    free(decoder);
    return decoded;
}
