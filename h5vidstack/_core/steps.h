/* From planes to pixels (spec/format.md, section 3), for one size of word.
 *
 * pixels.c includes this once for each size, with WORD, the type of a word; WIDE, an
 * unsigned type in which products of words do not overflow an int; and NAME(), which makes
 * names of that size. All arithmetic is modulo 2^bits, on unsigned numbers.
 */

static WORD *NAME(row)(const Area *area, uint32_t frame, uint32_t y)
{
    return (WORD *)area->words + frame * area->frame + y * area->row;
}

static WORD NAME(mask)(unsigned bits)
{
    return (WORD)(UINT64_MAX >> (64 - bits));
}

static WORD NAME(load)(const uint8_t *table, size_t place)
{
    WORD word;
    memcpy(&word, table + place * sizeof word, sizeof word);
    return word;
}

/* Sources may lie anywhere in a packet, so they are read byte-wise. */
static inline __attribute__((always_inline)) void NAME(put)(
    WORD *to, size_t stride, const uint8_t *from, unsigned size, uint32_t width,
    const Stream *stream, bool first)
{
    uint64_t most = UINT64_MAX >> (64 - stream->bits);
    for (size_t x = 0; x < width; x++) {
        uint64_t value = 0;
        memcpy(&value, from + x * size, size);
        WORD word = (WORD)((WIDE)(value < most ? value : most) << stream->low);
        to[x * stride] = first ? word : to[x * stride] | word;
    }
}

/* Adds one row of a stream's plane to its component; the first stream overwrites. */
static void NAME(put_row)(const Area *area, uint32_t frame, uint32_t y, const uint8_t *from,
                          const Stream *stream, bool first)
{
    WORD *to = NAME(row)(area, frame, y) + stream->component;
    bool gray = area->channels == 1, whole = stream->bits == 8 * sizeof(WORD);
    unsigned size = bytes_of(stream->depth);
    if (gray && first && whole && size == sizeof(WORD))
        memcpy(to, from, area->width * sizeof(WORD));
    else if (gray && size == 1)
        NAME(put)(to, 1, from, 1, area->width, stream, first);
    else if (gray && size == 2)
        NAME(put)(to, 1, from, 2, area->width, stream, first);
    else
        NAME(put)(to, area->channels, from, size, area->width, stream, first);
}

/* A component of one stream, no value above the stream's bits. */
static void NAME(limit)(const Area *area, const Stream *stream)
{
    WORD most = (WORD)((1u << stream->bits) - 1), *word = (WORD *)area->words + stream->component;
    size_t count = (size_t)area->frames * area->frame, step = area->channels;
    for (size_t x = 0; x < count; x += step)
        word[x] = word[x] < most ? word[x] : most;
}

/* Undoes the predictor in one row; `near` is the same row of the frame before, if that predicts. */
static inline __attribute__((always_inline)) void NAME(add_up)(
    WORD *row, const WORD *near, size_t stride, uint32_t width, Predictor predictor, bool fold,
    WORD mask)
{
    WORD sum = 0, slope = 0;
    for (size_t x = 0; x < width * stride; x += stride) {
        WORD value = row[x];
        if (fold) /* its sign is its lowest bit */
            value = (WORD)((value >> 1) ^ -(WIDE)(value & 1));
        if (predictor == LINEAR)
            value = slope = (WORD)(slope + value);
        if (predictor != PREVIOUS)
            value = sum = (WORD)(sum + value);
        row[x] = (WORD)(near ? value + (WIDE)near[x] : value) & mask;
    }
}

static void NAME(unpredict)(const Area *area, uint32_t frame, uint32_t component,
                            const Block *block)
{
    Predictor predictor = block->predictor;
    WORD mask = NAME(mask)(block->bits);
    bool fold = block->bits <= FOLDED_BITS;
    for (uint32_t y = 0; y < area->height; y++) {
        WORD *row = NAME(row)(area, frame, y) + component, *near = NULL;
        if (predictor == PREVIOUS && frame)
            near = row - area->frame;
        if (area->channels > 1)
            NAME(add_up)(row, near, area->channels, area->width, predictor, fold, mask);
        else if (predictor == PREVIOUS)
            NAME(add_up)(row, near, 1, area->width, PREVIOUS, fold, mask);
        else
            NAME(add_up)(row, near, 1, area->width, predictor, fold, mask);
    }
}

/* Components become channels: red, green, blue and, as it is, alpha. */
static void NAME(recolour)(const Area *area, uint32_t frame, const Block *block)
{
    WORD mask = NAME(mask)(block->bits);
    WIDE half = (WIDE)1 << (block->bits - 1);
    for (uint32_t y = 0; y < area->height; y++) {
        WORD *pixel = NAME(row)(area, frame, y), *end = pixel + words_of_row(area);
        for (; pixel < end; pixel += area->channels) {
            WIDE first = pixel[1], second = pixel[2];
            WIDE middle = pixel[0] - (second >> 2) + (half >> 2);
            WIDE blue = second + middle - half;
            WIDE green = middle - (first >> 1) + (half >> 1);
            pixel[0] = (WORD)(first + green - half) & mask;
            pixel[1] = (WORD)green & mask;
            pixel[2] = (WORD)blue & mask;
        }
    }
}

static void NAME(linear)(const Area *area, uint32_t frame, const Block *block)
{
    WIDE base = (WIDE)block->base, step = (WIDE)block->step;
    for (uint32_t y = 0; y < area->height; y++) {
        WORD *row = NAME(row)(area, frame, y);
        for (size_t x = 0; x < words_of_row(area); x++)
            row[x] = (WORD)(base + row[x] * step);
    }
}

/* False if a value has no entry. */
static bool NAME(palette)(const Area *area, uint32_t frame, const Block *block)
{
    for (uint32_t y = 0; y < area->height; y++) {
        WORD *row = NAME(row)(area, frame, y);
        for (size_t x = 0; x < words_of_row(area); x++) {
            if (row[x] >= block->colours)
                return false;
            row[x] = NAME(load)(block->table, row[x]);
        }
    }
    return true;
}

/* Words that no values make; false if one lies outside of the block. */
static bool NAME(patch)(const Area *area, const Block *block)
{
    const uint8_t *gaps = block->table + block->colours * sizeof(WORD);
    const uint8_t *words = gaps + 4 * (size_t)block->patches;
    size_t row = words_of_row(area), frame = row * area->height;
    size_t count = frame * area->frames, place = 0;
    for (uint32_t k = 0; k < block->patches; k++) {
        place += little32(gaps + 4 * (size_t)k);
        if (place >= count)
            return false;
        uint32_t i = (uint32_t)(place / frame), y = (uint32_t)(place % frame / row);
        NAME(row)(area, i, y)[place % row] = NAME(load)(words, k);
    }
    return true;
}

static const Steps NAME(steps) = {
    NAME(put_row),  NAME(limit),  NAME(unpredict), NAME(recolour),
    NAME(linear),   NAME(palette), NAME(patch),
};

#undef WORD
#undef WIDE
#undef NAME
