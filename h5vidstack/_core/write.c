/* Pixels to a block: a linear mapping, planes of colour, lpc for the upper 16 bits of each value. */

#include "block.h"
#include "lpc.h"

#include <math.h>
#include <stdlib.h>

enum {
    MOST_BITS = 16, /* of a plane of lpc */
};

/* The values of a chunk: `(word - base) / step`, of `bits` bits. */
typedef struct {
    const void *words;
    unsigned size;
    size_t pixels; /* without channels */
    uint32_t channels;
    uint64_t base, step;
    unsigned bits;
    bool lift;
} Source;

typedef struct {
    uint64_t low, high;
} Range;

typedef struct {
    Range (*range)(const void *words, size_t count, bool is_signed);
    uint64_t (*common_step)(const Source *source);
    void (*plane)(const Source *, uint32_t component, unsigned low, unsigned bits, uint8_t *plane);
} Reading;

#define EACH "values.h"
#include "words.h"

static const Reading *reading_of(unsigned size)
{
    switch (size) {
    case 1: return &reading_8;
    case 2: return &reading_16;
    case 4: return &reading_32;
    default: return &reading_64;
    }
}

static unsigned bit_length(uint64_t number)
{
    return number ? 64 - (unsigned)__builtin_clzll(number) : 0;
}

/* A block on its way to its bytes. */
typedef struct {
    const Chunk *chunk;
    Block block;
    Source source;
    uint8_t *data;
    size_t size, room;
} Writer;

/* Room for more bytes behind what is written, or NULL. */
static uint8_t *reserve(Writer *writer, size_t bytes, Error *error)
{
    if (writer->room - writer->size < bytes) {
        size_t room = writer->size + bytes + writer->size / 2;
        uint8_t *data = realloc(writer->data, room);
        if (!data) {
            no_memory(error, room);
            return NULL;
        }
        writer->data = data;
        writer->room = room;
    }
    return writer->data + writer->size;
}

/* ---- Mappings ---- */

static double number_at(const Chunk *chunk, const uint8_t *pixels, size_t i)
{
    double number;
    float narrow;
    if (chunk->size == 8) {
        memcpy(&number, pixels + 8 * i, 8);
        return number;
    }
    memcpy(&narrow, pixels + 4 * i, 4);
    return narrow;
}

/* Floats that are whole numbers of a range of 16 bits: counts, or labels. `values` has room. */
static bool map_whole_numbers(Writer *writer, const uint8_t *pixels, uint32_t *values)
{
    const Chunk *chunk = writer->chunk;
    size_t count = chunk->bytes / chunk->size;
    double low = INFINITY, high = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        double number = number_at(chunk, pixels, i);
        low = number < low ? number : low;
        high = number > high ? number : high;
        if (!(high - low < 65536) || number != rint(number) || (number == 0 && signbit(number)))
            return false; /* NaN fails, too */
    }
    if (fabs(low) > 0x1p30)
        return false;
    for (size_t i = 0; i < count; i++)
        values[i] = (uint32_t)(number_at(chunk, pixels, i) - low);
    double step = 1;
    writer->block.mapping = SCALED;
    memcpy(&writer->block.base, &low, 8);
    memcpy(&writer->block.step, &step, 8);
    writer->source.words = values;
    writer->source.size = sizeof *values;
    writer->source.bits = bit_length((uint64_t)(high - low));
    return true;
}

static void map_words(Writer *writer)
{
    const Chunk *chunk = writer->chunk;
    Source *source = &writer->source;
    const Reading *reading = reading_of(source->size);
    bool is_signed = chunk->kind == 'i';
    uint64_t top = 1ull << (8 * chunk->size - 1);
    Range range = reading->range(source->words, source->pixels * source->channels, is_signed);
    uint64_t span = range.high - range.low;
    bool negative = is_signed && range.low < top; /* where signed numbers begin at 0 */
    uint64_t high = is_signed ? range.high ^ top : range.high;
    source->base = is_signed ? range.low ^ top : range.low;
    source->step = span ? reading->common_step(source) : 1;
    /* A base that saves no bit only costs time. */
    if (negative || !span || source->step > 1 || bit_length(span) < bit_length(high))
        high = span;
    else
        source->base = 0;
    source->bits = bit_length(high / source->step);
    writer->block.mapping = PLAIN;
    writer->block.base = source->base;
    writer->block.step = source->step;
}

/* ---- Streams ---- */

static void put32(uint8_t *at, size_t number)
{
    uint32_t word = (uint32_t)number;
    memcpy(at, &word, sizeof word);
}

/* Writes a stream's header, and gives the place of its packets' sizes; `most` is the largest one. */
static uint8_t *put_head(Writer *writer, Stream *stream, size_t most, size_t bytes, Error *error)
{
    uint32_t frames = writer->block.frames;
    stream->width = 1;
    while (stream->width < 4 && most >> 8 * stream->width)
        stream->width++;
    size_t room = STREAM_BYTES + stream->width * (size_t)frames + bytes;
    uint8_t *head = reserve(writer, room, error);
    if (!head)
        return NULL;
    memset(head, 0, STREAM_BYTES);
    head[0] = (uint8_t)stream->codec;
    head[1] = (uint8_t)stream->depth;
    head[2] = (uint8_t)stream->component;
    head[3] = (uint8_t)stream->low;
    head[4] = (uint8_t)stream->bits;
    head[5] = (uint8_t)stream->width;
    put32(head + 8, frames);
    put32(head + 12, stream->extra_size);
    writer->size += room;
    writer->block.streams++;
    return head + STREAM_BYTES;
}

static uint8_t *put_size(uint8_t *at, const Stream *stream, size_t size)
{
    for (unsigned k = 0; k < stream->width; k++)
        *at++ = (uint8_t)(size >> 8 * k);
    return at;
}

/* Bit planes, the lowest first, of `count` values from number `from` on. */
static void scatter_bits(const uint8_t *plane, unsigned bits, size_t from, size_t count,
                         uint8_t *to)
{
    size_t length = (count + 7) / 8, size = bytes_of(bits);
    memset(to, 0, bits * length);
    for (unsigned bit = 0; bit < bits; bit++, to += length)
        for (size_t x = 0; x < count; x++) {
            uint64_t value = 0;
            memcpy(&value, plane + (from + x) * size, size);
            to[x / 8] |= (uint8_t)((value >> bit & 1) << (7 - x % 8));
        }
}

static size_t raw_length(unsigned bits, size_t pixels)
{
    return bits == 8 * bytes_of(bits) ? pixels * bits / 8 : bits * ((pixels + 7) / 8);
}

static bool write_raw(Writer *writer, Stream stream, const uint8_t *plane, Error *error)
{
    uint32_t frames = writer->block.frames;
    size_t pixels = writer->source.pixels / frames, length = raw_length(stream.bits, pixels);
    stream.codec = RAW;
    stream.depth = stream.bits;
    uint8_t *at = put_head(writer, &stream, length, frames * length, error);
    if (!at)
        return false;
    for (uint32_t i = 0; i < frames; i++)
        at = put_size(at, &stream, length);
    bool whole = stream.bits == 8 * bytes_of(stream.bits);
    if (whole)
        memcpy(at, plane, frames * length);
    for (uint32_t i = 0; !whole && i < frames; i++)
        scatter_bits(plane, stream.bits, i * pixels, pixels, at + i * length);
    return true;
}

static bool put_packets(Writer *writer, Stream stream, const LpcStream *coded, size_t bytes,
                        Error *error)
{
    uint32_t frames = writer->block.frames;
    stream.codec = LPC;
    stream.depth = stream.bits;
    stream.extra_size = (uint32_t)coded->configuration.size;
    size_t most = 0;
    for (uint32_t i = 0; i < frames; i++)
        most = coded->packets[i].size > most ? coded->packets[i].size : most;
    uint8_t *at = put_head(writer, &stream, most, stream.extra_size + bytes, error);
    if (!at)
        return false;
    for (uint32_t i = 0; i < frames; i++)
        at = put_size(at, &stream, coded->packets[i].size);
    memcpy(at, coded->configuration.data, coded->configuration.size);
    at += coded->configuration.size;
    for (uint32_t i = 0; i < frames; i++) {
        memcpy(at, coded->packets[i].data, coded->packets[i].size);
        at += coded->packets[i].size;
    }
    return true;
}

/* How presets of lpc are coded, by their numbers (section 4). */
static const LpcSettings PRESET[] = {
    [PRESET_FAST] = {LPC_CENTRE, 4, 13, 1},
    [PRESET_CHAIN] = {LPC_CHAIN, 4, 5, 1},
    [PRESET_SLOW] = {LPC_CHAIN, 4, 3, 2},
};

static LpcSettings settings_of(const Chunk *chunk)
{
    unsigned preset = chunk->preset;
    if (!is_lpc(preset))
        preset = preset_for(chunk->frames);
    return PRESET[preset];
}

/* By lpc; raw where that is no larger. */
static bool write_lpc(Writer *writer, const Stream *stream, const uint8_t *plane, Error *error)
{
    const Block *block = &writer->block;
    LpcShape shape = {block->frames, block->height, block->width, stream->bits};
    LpcSettings settings = settings_of(writer->chunk);
    LpcStream coded;
    LpcStatus status = lpc_encode(plane, stream->bits > 8 ? 2 : 1, &shape, &settings, &coded);
    if (status != LPC_OK)
        return fail(error, status == LPC_NO_MEMORY ? "no memory to encode a chunk by lpc"
                                                   : "lpc does not take this chunk");
    size_t bytes = 0;
    for (uint32_t i = 0; i < block->frames; i++)
        bytes += coded.packets[i].size;
    size_t raw = block->frames * raw_length(stream->bits, writer->source.pixels / block->frames);
    bool written = bytes + coded.configuration.size < raw
                       ? put_packets(writer, *stream, &coded, bytes, error)
                       : write_raw(writer, *stream, plane, error);
    lpc_free(&coded);
    return written;
}

static bool is_zero(const uint8_t *plane, size_t bytes)
{
    return !bytes || (!plane[0] && !memcmp(plane, plane + 1, bytes - 1));
}

/* A component's upper 16 bits by lpc. Those below hold little but noise, and stay as they are. */
static bool write_component(Writer *writer, uint32_t component, uint8_t *plane, Error *error)
{
    const Source *source = &writer->source;
    unsigned top = source->bits > MOST_BITS ? source->bits - MOST_BITS : 0;
    for (unsigned low = 0; low < source->bits;) {
        unsigned bits = (low < top ? top : source->bits) - low;
        Stream stream = {.component = component, .low = low, .bits = bits};
        reading_of(source->size)->plane(source, component, low, bits, plane);
        size_t bytes = source->pixels * bytes_of(bits);
        if (!is_zero(plane, bytes) && !(low < top ? write_raw(writer, stream, plane, error)
                                                  : write_lpc(writer, &stream, plane, error)))
            return false;
        low += bits;
    }
    return true;
}

static bool write_streams(Writer *writer, Error *error)
{
    Source *source = &writer->source;
    size_t room = source->pixels * (source->bits > 3 * MOST_BITS   ? 8
                                    : source->bits > 2 * MOST_BITS ? 4
                                                                   : 2);
    uint8_t *plane = malloc(room);
    if (!plane)
        return no_memory(error, room);
    source->lift = source->channels > 1 && source->bits;
    writer->block.bits = source->bits;
    writer->block.colour = source->lift ? LIFT : NO_COLOUR;
    bool written = true;
    for (uint32_t i = 0; written && i < source->channels; i++)
        written = write_component(writer, i, plane, error);
    free(plane);
    return written;
}

/* ---- All of it ---- */

static bool check_block(const Writer *writer, const uint8_t *pixels, Error *error)
{
    const Chunk *chunk = writer->chunk;
    Block *block = calloc(1, sizeof *block);
    uint8_t *decoded = calloc(1, chunk->bytes);
    bool good = block && decoded ? parse_block(writer->data, writer->size, chunk, block, error) &&
                                       decode_block(block, chunk, decoded, error)
                                 : no_memory(error, chunk->bytes);
    if (good && memcmp(decoded, pixels, chunk->bytes))
        good = fail(error, "a block of lpc did not decode to its input, and was not written; "
                           "please report this");
    free(block);
    free(decoded);
    return good;
}

/* `words` are the pixels in our byte order, `spare` has room for whole numbers, or is NULL. */
static bool write_block(Writer *writer, const uint8_t *words, uint32_t *spare, Error *error)
{
    const Chunk *chunk = writer->chunk;
    writer->source = (Source){.words = words, .size = chunk->size, .channels = chunk->channels,
                              .pixels = chunk->bytes / chunk->size / chunk->channels, .step = 1};
    if (!spare || !map_whole_numbers(writer, words, spare))
        map_words(writer);
    if (!reserve(writer, HEAD_BYTES, error))
        return false;
    writer->size = HEAD_BYTES;
    if (!write_streams(writer, error))
        return false;
    if (writer->size > UINT32_MAX)
        return fail(error, "a chunk of %zu bytes is too large for a block", chunk->bytes);
    seal_block(writer->data, writer->size, chunk, &writer->block);
    return true;
}

bool encode_block(const Chunk *chunk, const uint8_t *pixels, uint8_t **block, size_t *size,
                  Error *error)
{
    bool real = chunk->bytes && (chunk->channels == 1 || chunk->channels == 3 ||
                                 chunk->channels == 4);
    if (!real)
        return fail(error, "chunks of (%u, %u, %u, %u) cannot be coded", chunk->frames,
                    chunk->height, chunk->width, chunk->channels);
    Writer *writer = calloc(1, sizeof *writer);
    if (!writer)
        return no_memory(error, sizeof *writer);
    writer->chunk = chunk;
    writer->block = (Block){.frames = chunk->frames, .height = chunk->height,
                            .width = chunk->width, .channels = chunk->channels};
    bool numbers = chunk->kind == 'f' && chunk->size > 2;
    uint8_t *turned = chunk->big_endian ? malloc(chunk->bytes) : NULL;
    uint32_t *spare = numbers ? malloc(chunk->bytes / chunk->size * sizeof *spare) : NULL;
    bool written = (turned || !chunk->big_endian) && (spare || !numbers);
    if (!written)
        no_memory(error, chunk->bytes);
    if (turned) {
        memcpy(turned, pixels, chunk->bytes);
        turn_round(turned, chunk->bytes, chunk->size);
    }
    written = written && write_block(writer, turned ? turned : pixels, spare, error) &&
              (!chunk->verify || check_block(writer, pixels, error));
    *block = writer->data;
    *size = writer->size;
    if (!written) {
        free(writer->data);
        *block = NULL;
    }
    free(turned);
    free(spare);
    free(writer);
    return written;
}
