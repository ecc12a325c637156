/* Planes to pixels (section 3, "From planes to pixels"), in place wherever that can be. */

#include "block.h"

#include <math.h>
#include <stdlib.h>

/* Where a block's words go: rows and frames are so many words apart, channels are together. */
typedef struct {
    uint8_t *words;
    unsigned size;
    uint32_t frames, height, width, channels;
    size_t row, frame;
} Area;

static size_t words_of_row(const Area *area)
{
    return (size_t)area->width * area->channels;
}

/* The steps for words of one size; see steps.h. All but the last are for one frame. */
typedef struct {
    void (*put_row)(const Area *, uint32_t frame, uint32_t y, const uint8_t *from, const Stream *,
                    bool first);
    void (*limit)(const Area *, const Stream *);
    void (*unpredict)(const Area *, uint32_t frame, uint32_t component, const Block *);
    void (*recolour)(const Area *, uint32_t frame, const Block *);
    void (*linear)(const Area *, uint32_t frame, const Block *);
    bool (*palette)(const Area *, uint32_t frame, const Block *);
    bool (*patch)(const Area *, const Block *);
} Steps;

#define EACH "steps.h"
#include "words.h"

static const Steps *steps_of(const Area *area)
{
    switch (area->size) {
    case 1: return &steps_8;
    case 2: return &steps_16;
    case 4: return &steps_32;
    default: return &steps_64;
    }
}

/* An IEEE 754 half of a number that is no larger than 65504; NaN stays one. */
static uint16_t half_of(double number)
{
    uint16_t sign = signbit(number) ? 0x8000 : 0;
    if (isnan(number))
        return sign | 0x7E00;
    int exponent;
    frexp(number, &exponent);
    exponent = exponent - 1 < -14 || number == 0 ? -14 : exponent - 1;
    /* 10 bits behind the point; where they overflow, or are subnormal, the sum is right, too. */
    long mantissa = lrint(ldexp(fabs(number), 10 - exponent));
    return (uint16_t)(sign | (uint16_t)(((exponent + 14) << 10) + mantissa));
}

static double limited(double number, double least, double most)
{
    return number < least ? least : number > most ? most : number;
}

/* For integers: to the nearest, ties to even; NaN becomes 0. */
static double whole(double number, double least, double most)
{
    return isnan(number) ? 0 : limited(rint(number), least, most);
}

/* Turns `count` scaled values into pixels of the chunk's dtype. */
static void scale(const Block *block, const Chunk *chunk, const uint32_t *values, uint8_t *to,
                  size_t count)
{
    double base, step;
    memcpy(&base, &block->base, sizeof base);
    memcpy(&step, &block->step, sizeof step);
/* The product is rounded before the sum is: the Makefile forbids to fuse them. */
#define EACH(type, pixel)                                                                          \
    for (size_t x = 0; x < count; x++) {                                                           \
        double number = base + (double)values[x] * step;                                           \
        type made = (type)(pixel);                                                                 \
        memcpy(to + x * sizeof made, &made, sizeof made);                                          \
    }                                                                                              \
    break
    switch (chunk->kind << 8 | (int)chunk->size) {
    case 'b' << 8 | 1: EACH(uint8_t, whole(number, 0, 1));
    case 'u' << 8 | 1: EACH(uint8_t, whole(number, 0, UINT8_MAX));
    case 'u' << 8 | 2: EACH(uint16_t, whole(number, 0, UINT16_MAX));
    case 'u' << 8 | 4: EACH(uint32_t, whole(number, 0, UINT32_MAX));
    case 'u' << 8 | 8: EACH(uint64_t, whole(number, 0, 0x1.fffffffffffffp63));
    case 'i' << 8 | 1: EACH(int8_t, whole(number, INT8_MIN, INT8_MAX));
    case 'i' << 8 | 2: EACH(int16_t, whole(number, INT16_MIN, INT16_MAX));
    case 'i' << 8 | 4: EACH(int32_t, whole(number, INT32_MIN, INT32_MAX));
    case 'i' << 8 | 8: EACH(int64_t, whole(number, -0x1p63, 0x1.fffffffffffffp62));
    case 'f' << 8 | 2: EACH(uint16_t, half_of(limited(number, -65504, 65504)));
    case 'f' << 8 | 4: EACH(float, limited(number, -0x1.fffffep127, 0x1.fffffep127));
    default: EACH(double, limited(number, -0x1.fffffffffffffp1023, 0x1.fffffffffffffp1023));
    }
#undef EACH
}

void turn_round(uint8_t *words, size_t bytes, unsigned size)
{
    for (uint8_t *word = words; word < words + bytes; word += size)
        for (unsigned i = 0; i < size / 2; i++) {
            uint8_t kept = word[i];
            word[i] = word[size - 1 - i];
            word[size - 1 - i] = kept;
        }
}

/* A block on its way into its chunk. */
typedef struct {
    Sink sink; /* the first member: a pointer to it is one to the whole */
    const Block *block;
    const Chunk *chunk;
    Area pixels, values; /* the same, unless values are scaled: then they may be the wider ones */
    const Stream *stream; /* which is being decoded */
    bool first, last;     /* whether it is the first of its component, and the last of all */
} Canvas;

/* Values of one frame, in which nothing is predicted, to pixels. */
static bool map_frame(const Canvas *canvas, uint32_t frame, Error *error)
{
    const Block *block = canvas->block;
    const Area *pixels = &canvas->pixels, *values = &canvas->values;
    const Steps *steps = steps_of(values);
    if (block->colour && block->bits)
        steps->recolour(values, frame, block);
    if (block->mapping == PALETTE && !steps->palette(values, frame, block))
        return fail(error, "a value has no entry in the block's palette");
    if (block->mapping == PLAIN && (block->base || block->step != 1))
        steps->linear(values, frame, block);
    for (uint32_t y = 0; block->mapping == SCALED && y < values->height; y++)
        scale(block, canvas->chunk, row_32(values, frame, y),
              pixels->words + (frame * pixels->frame + y * pixels->row) * pixels->size,
              words_of_row(values));
    return true;
}

/* All that is left to do with a frame when its last stream is there, and it is in the caches. */
static bool finish_frame(const Canvas *canvas, uint32_t frame, Error *error)
{
    const Block *block = canvas->block;
    const Steps *steps = steps_of(&canvas->values);
    bool predicted = block->predictor && block->bits;
    for (uint32_t i = 0; predicted && i < block->channels; i++)
        steps->unpredict(&canvas->values, frame, i, block);
    if (block->predictor != PREVIOUS)
        return map_frame(canvas, frame, error);
    /* The next frame needs the values of this one, so mapping comes one frame later. */
    if (frame && !map_frame(canvas, frame - 1, error))
        return false;
    return frame + 1 < block->frames || map_frame(canvas, frame, error);
}

/* A row of each stream is added to its component. */
static bool put_frame(const Sink *sink, uint32_t frame, const uint8_t *rows, ptrdiff_t pitch,
                      Error *error)
{
    const Canvas *canvas = (const Canvas *)sink;
    const Area *values = &canvas->values;
    for (uint32_t y = 0; y < values->height; y++, rows += pitch)
        steps_of(values)->put_row(values, frame, y, rows, canvas->stream, canvas->first);
    return !canvas->last || finish_frame(canvas, frame, error);
}

/* lpc decodes all frames of a stream at once: in place, if words are as wide as samples and have no
 * gaps between them; else beside the pixels. */
static bool decode_frames(Canvas *canvas, Error *error)
{
    const Stream *stream = canvas->stream;
    const Sink *sink = &canvas->sink;
    const Area *values = &canvas->values;
    bool gaps = values->row != words_of_row(values) || values->frame != values->row * values->height;
    if (canvas->first && !stream->low && values->size <= 2 && stream->depth <= 8 * values->size &&
        !gaps) {
        uint8_t *words = values->words + stream->component * values->size;
        if (!decode_lpc(stream, sink, words, values->size, values->channels, error))
            return false;
        if (stream->bits < 8 * values->size)
            steps_of(values)->limit(values, stream);
        for (uint32_t i = 0; canvas->last && i < sink->frames; i++)
            if (!finish_frame(canvas, i, error))
                return false;
        return true;
    }
    unsigned size = bytes_of(stream->depth);
    size_t row = (size_t)sink->width * size, frame = row * sink->height;
    uint8_t *plane = malloc(frame * sink->frames);
    if (!plane)
        return no_memory(error, frame * sink->frames);
    bool decoded = decode_lpc(stream, sink, plane, size, 1, error);
    for (uint32_t i = 0; decoded && i < sink->frames; i++)
        decoded = put_frame(sink, i, plane + i * frame, (ptrdiff_t)row, error);
    free(plane);
    return decoded;
}

static bool decode_streams(Canvas *canvas, Error *error)
{
    const Block *block = canvas->block;
    unsigned seen = 0; /* a bit for each component */
    for (unsigned i = 0; i < block->streams; i++) {
        const Stream *stream = canvas->stream = &block->stream[i];
        unsigned component = 1u << stream->component;
        canvas->first = !(seen & component);
        canvas->last = i + 1 == block->streams;
        if (!(stream->codec == LPC ? decode_frames(canvas, error)
                                   : decode_stream(stream, &canvas->sink, error)))
            return false;
        seen |= component;
    }
    for (uint32_t i = 0; !block->streams && i < block->frames; i++)
        if (!finish_frame(canvas, i, error))
            return false;
    return true;
}

/* Scaled values stand apart from the pixels until they are mapped. */
static bool decode_scaled(Canvas *canvas, Error *error)
{
    Area *values = &canvas->values;
    values->size = sizeof(uint32_t);
    values->row = words_of_row(values);
    values->frame = values->row * values->height;
    values->words = calloc(values->frame * values->frames, values->size);
    if (!values->words)
        return no_memory(error, values->frame * values->frames * values->size);
    bool decoded = decode_streams(canvas, error);
    free(values->words);
    return decoded;
}

bool decode_block(const Block *block, const Chunk *chunk, uint8_t *out, Error *error)
{
    size_t row = (size_t)chunk->width * chunk->channels;
    const Area pixels = {out, chunk->size, block->frames, block->height, block->width,
                         block->channels, row, row * chunk->height};
    Canvas canvas = {.sink = {block->frames, block->height, block->width, put_frame},
                     .block = block, .chunk = chunk, .pixels = pixels, .values = pixels};
    bool decoded = block->mapping == SCALED ? decode_scaled(&canvas, error)
                                            : decode_streams(&canvas, error);
    if (!decoded)
        return false;
    if (block->patches && !steps_of(&pixels)->patch(&pixels, block))
        return fail(error, "a mapping names a pixel outside of its block");
    if (chunk->big_endian)
        turn_round(out, chunk->bytes, chunk->size);
    return true;
}

bool fills_chunk(const Block *block, const Chunk *chunk)
{
    unsigned seen = 0;
    for (unsigned i = 0; i < block->streams; i++)
        seen |= 1u << block->stream[i].component;
    return block->frames == chunk->frames && block->height == chunk->height &&
           block->width == chunk->width && seen + 1 == 1u << block->channels;
}
