/* Blocks: what the plugin for HDF5 and the Python module share. spec/format.md is normative, and
 * sections are its own. */

#ifndef H5VIDSTACK_BLOCK_H
#define H5VIDSTACK_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "blocks are little-endian, and nothing here swaps their bytes"
#endif

typedef struct {
    char text[256];
} Error;

/* Says what is wrong. Gives false, for callers to return. */
__attribute__((format(printf, 2, 3))) bool fail(Error *error, const char *format, ...);
bool no_memory(Error *error, size_t bytes);

static inline uint16_t little16(const uint8_t *at)
{
    uint16_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

static inline uint32_t little32(const uint8_t *at)
{
    uint32_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

static inline uint64_t little64(const uint8_t *at)
{
    uint64_t number;
    memcpy(&number, at, sizeof number);
    return number;
}

/* ---- block.c: the bytes of a block (section 3) ---- */

typedef enum { NO_COLOUR, LIFT } Colour;
typedef enum { NO_PREDICTOR, PREVIOUS, LEFT, LINEAR } Predictor;
typedef enum { PLAIN, PALETTE, SCALED } Mapping;
typedef enum { RAW, LPC, X264, FFV1, MPEG4, DEFLATE, LZMA, CODECS } CodecId;

enum {
    FILTER_ID = 47113,
    BLOCK_VERSION = 1,
    PARAMETERS = 8, /* of the filter */
    CHANNELS = 4,   /* at most */
    FOLDED_BITS = 16, /* differences of wider values are not folded */
    HEAD_BYTES = 68,   /* of a block, up to the table of its mapping */
    STREAM_BYTES = 16, /* of a stream's header, up to the sizes of its packets */
    MAX_STREAMS = CHANNELS * 64, /* one a bit, since they do not overlap */
};

/* A chunk as the filter's parameters describe it; its pixels are `kind` and `size` as NumPy's. */
typedef struct {
    unsigned preset;
    bool verify;
    uint32_t frames, height, width, channels;
    char kind;
    unsigned size;
    bool big_endian;
    size_t bytes;
} Chunk;

/* Some bits of one component, coded; pointers go into the block. */
typedef struct {
    CodecId codec;
    unsigned depth, component, low, bits;
    uint32_t packets, extra_size;
    unsigned width; /* bytes of each packet's size */
    const uint8_t *sizes, *extra, *data;
} Stream;

typedef struct {
    uint32_t frames, height, width, channels;
    Colour colour;
    Predictor predictor;
    Mapping mapping;
    unsigned bits;
    uint64_t base, step; /* the bits of a double if scaled */
    uint32_t colours, patches;
    uint8_t *table; /* `colours` words, then `patches` gaps, then as many words; ours to free */
    unsigned streams;
    Stream stream[MAX_STREAMS];
} Block;

bool parse_parameters(size_t count, const unsigned *values, Chunk *chunk, Error *error);

/* Checks every length and the CRC of a block, and finds its packets. `block` is zero; its table
 * is to be freed whatever the result is. */
bool parse_block(const uint8_t *data, size_t size, const Chunk *chunk, Block *block, Error *error);

uint32_t crc32_of(const uint8_t *data, size_t size); /* ISO 3309, as zlib's */

/* Writes the header of a block of `size` bytes, the first HEAD_BYTES of which are free. */
void seal_block(uint8_t *data, size_t size, const Chunk *chunk, const Block *block);

/* Bytes of packet `i`. */
static inline uint32_t packet_size(const Stream *stream, uint32_t i)
{
    const uint8_t *at = stream->sizes + stream->width * (size_t)i;
    uint32_t size = 0;
    for (unsigned k = 0; k < stream->width; k++)
        size |= (uint32_t)at[k] << 8 * k;
    return size;
}

/* ---- streams.c: packets to planes ---- */

/* Bytes of the least integer for values of so many bits. */
static inline unsigned bytes_of(unsigned bits)
{
    return bits <= 8 ? 1 : bits <= 16 ? 2 : bits <= 32 ? 4 : 8;
}

/* Gets the frames of a stream, in order: rows of values of bytes_of(depth), `pitch` bytes apart. */
typedef struct Sink {
    uint32_t frames, height, width;
    bool (*put)(const struct Sink *, uint32_t frame, const uint8_t *rows, ptrdiff_t pitch,
                Error *error);
} Sink;

bool takes_configuration(CodecId codec);
bool is_whole(CodecId codec); /* one packet for all frames */
bool has_depth(CodecId codec, unsigned depth);
bool is_here(CodecId codec); /* the core itself decodes it */
bool decode_stream(const Stream *stream, const Sink *sink, Error *error);

/* Decodes all frames of a stream of lpc: samples of `size` bytes, `step` samples apart. */
bool decode_lpc(const Stream *stream, const Sink *sink, void *out, unsigned size, size_t step,
                Error *error);

/* A frame of a codec of bytes: the byte planes of its values, the lowest first, or for LZMA its
 * values. `values` has room for 8 bytes a value. */
bool put_planes(const Stream *stream, const Sink *sink, uint32_t frame, const uint8_t *planes,
                uint8_t *values, Error *error);

/* Codecs that the core has not; whoever links it has these two. */
bool decode_elsewhere(const Stream *stream, const Sink *sink, Error *error);
/* A zlib stream of exactly so many bytes. */
bool inflate_exactly(const uint8_t *from, size_t packed, uint8_t *to, size_t size, Error *error);

/* ---- pixels.c: planes to pixels ---- */

/* Whether a block gives every word of its chunk a value. */
bool fills_chunk(const Block *block, const Chunk *chunk);

/* Decodes a block into its chunk, which is zero where the block does not fill it. */
bool decode_block(const Block *block, const Chunk *chunk, uint8_t *out, Error *error);

void turn_round(uint8_t *words, size_t bytes, unsigned size); /* their byte order */

/* ---- write.c: pixels to a block ---- */

enum { /* numbers of presets */
    PRESET_FAST = 2, PRESET_CHAIN = 3, PRESET_SLOW = 4,
    FAST_MOST = 16, /* frames: in longer chunks each frame refers to the one before */
};

static inline bool is_lpc(unsigned preset)
{
    return preset >= PRESET_FAST && preset <= PRESET_SLOW;
}

static inline unsigned preset_for(uint32_t frames)
{
    return frames > FAST_MOST ? PRESET_CHAIN : PRESET_FAST;
}

/* The block of a chunk, which `*block` points to, for the caller to free. */
bool encode_block(const Chunk *chunk, const uint8_t *pixels, uint8_t **block, size_t *size,
                  Error *error);

#endif
