/* From words to values and planes, for one size of word.
 *
 * write.c includes this once for each size, with WORD, the type of a word; WIDE, an unsigned type in
 * which products of words do not overflow an int; and NAME(), which makes names of that size. All
 * arithmetic is modulo 2^bits, on unsigned numbers.
 */

/* The lowest and the highest word; signed ones with their highest bit turned, so that they rise. */
static Range NAME(range)(const void *words, size_t count, bool is_signed)
{
    const WORD *word = words;
    WORD flip = is_signed ? (WORD)((WIDE)1 << (8 * sizeof(WORD) - 1)) : 0;
    WORD low = (WORD)-1, high = 0;
    for (size_t i = 0; i < count; i++) {
        WORD number = word[i] ^ flip;
        low = number < low ? number : low;
        high = number > high ? number : high;
    }
    return (Range){low, high};
}

/* The greatest number that divides all words less the base; not all are the same. */
static uint64_t NAME(common_step)(const Source *source)
{
    const WORD *word = source->words;
    size_t count = source->pixels * source->channels;
    WORD base = (WORD)source->base, step = 0;
    for (size_t i = 0; i < count && step != 1; i++) {
        WORD divisor = (WORD)(word[i] - (WIDE)base);
        while (divisor) { /* Euclid */
            WORD rest = step % divisor;
            step = divisor;
            divisor = rest;
        }
    }
    return step;
}

static inline __attribute__((always_inline)) WORD NAME(value)(WORD word, WORD base, WORD step)
{
    WORD above = (WORD)(word - (WIDE)base);
    return step == 1 ? above : above / step;
}

/* The component of a pixel of colour (section 3, step 4); `p` are its values. */
static inline __attribute__((always_inline)) WORD NAME(lifted)(const WORD *p, uint32_t component,
                                                               unsigned bits)
{
    WIDE mask = (WIDE)(UINT64_MAX >> (64 - bits)), half = (WIDE)1 << (bits - 1);
    if (component == 3)
        return p[3];
    WIDE red = p[0], green = p[1], blue = p[2];
    WIDE first = (red - green + half) & mask;
    if (component == 1)
        return (WORD)first;
    WIDE middle = green + (first >> 1) - (half >> 1);
    WIDE second = (blue - middle + half) & mask;
    return (WORD)(component == 2 ? second : (middle + (second >> 2) - (half >> 2)) & mask);
}

static inline __attribute__((always_inline)) void NAME(fill)(
    const Source *source, uint32_t component, unsigned low, unsigned bits, unsigned size, WORD step,
    uint8_t *plane)
{
    const WORD *word = source->words;
    WORD base = (WORD)source->base;
    uint32_t channels = source->channels;
    uint64_t mask = UINT64_MAX >> (64 - bits);
    for (size_t i = 0; i < source->pixels; i++) {
        WORD value;
        if (source->lift) {
            WORD p[CHANNELS];
            for (uint32_t c = 0; c < channels; c++)
                p[c] = NAME(value)(word[i * channels + c], base, step);
            value = NAME(lifted)(p, component, source->bits);
        } else {
            value = NAME(value)(word[i * channels + component], base, step);
        }
        uint64_t part = (uint64_t)value >> low & mask;
        memcpy(plane + i * size, &part, size);
    }
}

/* Some bits of a component, in the least integers that hold them. */
static void NAME(plane)(const Source *source, uint32_t component, unsigned low, unsigned bits,
                        uint8_t *plane)
{
    unsigned size = bytes_of(bits);
    WORD step = (WORD)source->step;
    if (step == 1 && size == 1)
        NAME(fill)(source, component, low, bits, 1, 1, plane);
    else if (step == 1 && size == 2)
        NAME(fill)(source, component, low, bits, 2, 1, plane);
    else
        NAME(fill)(source, component, low, bits, size, step, plane);
}

static const Reading NAME(reading) = {NAME(range), NAME(common_step), NAME(plane)};

#undef WORD
#undef WIDE
#undef NAME
