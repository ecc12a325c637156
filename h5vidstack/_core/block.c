/* The bytes of a block: headers, mapping and packets, each length checked before it is used. */

#include "block.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_COLOURS = 65536 }; /* of a palette */

static uint32_t crc_table[8][256];

__attribute__((constructor)) static void build_crc_table(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc & 1 ? crc >> 1 ^ 0xEDB88320 : crc >> 1;
        crc_table[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (int i = 0; i < 256; i++)
            crc_table[k][i] = crc_table[k - 1][i] >> 8 ^ crc_table[0][crc_table[k - 1][i] & 255];
}

/* Eight bytes at once ("slicing by 8", Kounavis and Berry, 2005). */
uint32_t crc32_of(const uint8_t *data, size_t size)
{
    uint32_t crc = UINT32_MAX;
    for (; size >= 8; data += 8, size -= 8) {
        uint64_t next = little64(data) ^ crc;
        crc = 0;
        for (int k = 0; k < 8; k++)
            crc ^= crc_table[7 - k][next >> 8 * k & 255];
    }
    while (size--)
        crc = crc >> 8 ^ crc_table[0][(crc ^ *data++) & 255];
    return ~crc;
}

bool fail(Error *error, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(error->text, sizeof error->text, format, arguments);
    va_end(arguments);
    return false;
}

bool no_memory(Error *error, size_t bytes)
{
    return fail(error, "no memory for %zu bytes", bytes);
}

/* What is left of the bytes that are being read. */
typedef struct {
    const uint8_t *at;
    size_t left;
} Bytes;

/* The next bytes, or NULL if there are not as many. */
static const uint8_t *take(Bytes *bytes, uint64_t count)
{
    if (count > bytes->left)
        return NULL;
    const uint8_t *taken = bytes->at;
    bytes->at += count;
    bytes->left -= (size_t)count;
    return taken;
}

static bool known_kind(char kind, unsigned size)
{
    bool power = size == 1 || size == 2 || size == 4 || size == 8;
    return power && (kind == 'u' || kind == 'i' || (kind == 'f' && size > 1) ||
                     (kind == 'b' && size == 1));
}

bool parse_parameters(size_t count, const unsigned *values, Chunk *chunk, Error *error)
{
    if (count != PARAMETERS)
        return fail(error, "the filter has %zu parameters in this file, not %d", count, PARAMETERS);
    unsigned dtype = values[7];
    *chunk = (Chunk){.preset = values[1], .verify = values[2] != 0, .frames = values[3],
                     .height = values[4], .width = values[5], .channels = values[6],
                     .kind = (char)(dtype >> 8 & 255), .size = dtype & 255,
                     .big_endian = dtype >> 16 & 1};
    if (dtype >> 17 || !known_kind(chunk->kind, chunk->size))
        return fail(error, "the file asks for pixels of dtype %#x, unknown here", dtype);
    bool over = __builtin_mul_overflow((size_t)chunk->frames, chunk->height, &chunk->bytes);
    over |= __builtin_mul_overflow(chunk->bytes, chunk->width, &chunk->bytes);
    over |= __builtin_mul_overflow(chunk->bytes, chunk->channels * (uint64_t)chunk->size,
                                   &chunk->bytes);
    if (over || chunk->bytes > PTRDIFF_MAX)
        return fail(error, "the file asks for chunks beyond all memory");
    return true;
}

/* The header, for all of whose bytes the caller vouches; says how many streams there are. */
static bool parse_header(const uint8_t *data, size_t size, const Chunk *chunk, Block *block,
                         Error *error)
{
    if (size < 32 || memcmp(data, "H5VB", 4))
        return fail(error, "not an h5vidstack block: its first bytes are wrong");
    if (little32(data + 12) != size)
        return fail(error, "a block of %u bytes has %zu: cut short or overwritten",
                    (unsigned)little32(data + 12), size);
    if (crc32_of(data + 8, size - 8) != little32(data + 4))
        return fail(error, "CRC-32 of a block is wrong: its bytes were damaged");
    if (data[8] != BLOCK_VERSION || data[9])
        return fail(error, "a block of version %u, flags %u; this h5vidstack reads version %d: "
                    "upgrade it", data[8], data[9], BLOCK_VERSION);
    if (data[10] != (chunk->kind == 'b' ? 'u' : chunk->kind) || data[11] != chunk->size)
        return fail(error, "a block of pixels %#x%u stands where %c%u was promised", data[10],
                    data[11], chunk->kind, chunk->size);
    block->frames = little32(data + 16);
    block->height = little32(data + 20);
    block->width = little32(data + 24);
    block->channels = little16(data + 28);
    block->streams = little16(data + 30);
    bool fits = block->frames <= chunk->frames && block->height <= chunk->height &&
                block->width <= chunk->width && block->channels == chunk->channels;
    bool real = block->frames && block->height && block->width &&
                (block->channels == 1 || block->channels == 3 || block->channels == 4);
    if (!fits || !real)
        return fail(error, "a block of shape (%u, %u, %u, %u) does not fit its chunk "
                    "(%u, %u, %u, %u)", block->frames, block->height, block->width,
                    block->channels, chunk->frames, chunk->height, chunk->width, chunk->channels);
    if (block->streams > MAX_STREAMS)
        return fail(error, "a block of %u streams", block->streams);
    return true;
}

/* Steps and mapping. */
static bool parse_steps(Bytes *bytes, const Chunk *chunk, Block *block, Error *error)
{
    const uint8_t *head = take(bytes, 36);
    if (!head)
        return fail(error, "a block ends within its header");
    if (head[0] > LIFT || head[1] > LINEAR || little16(head + 2) || head[4] > SCALED ||
        little16(head + 6) || (head[0] && block->channels < 3))
        return fail(error, "a block uses a transform that is unknown here: upgrade h5vidstack");
    block->colour = (Colour)head[0];
    block->predictor = (Predictor)head[1];
    block->mapping = (Mapping)head[4];
    block->bits = head[5];
    block->base = little64(head + 8);
    block->step = little64(head + 16);
    block->colours = little32(head + 24);
    block->patches = little32(head + 28);
    size_t pixels = (size_t)block->frames * block->height * block->width * block->channels;
    const uint8_t *packed = take(bytes, little32(head + 32));
    unsigned most = block->mapping == SCALED ? 32 : 8 * chunk->size;
    if (block->bits > most || block->colours > MAX_COLOURS || block->patches > pixels || !packed)
        return fail(error, "a mapping of impossible size");
    size_t size = ((size_t)block->colours + block->patches) * chunk->size +
                  4 * (size_t)block->patches;
    if (!size)
        return little32(head + 32) ? fail(error, "a mapping with a table that it has not") : true;
    block->table = malloc(size);
    if (!block->table)
        return no_memory(error, size);
    return inflate_exactly(packed, little32(head + 32), block->table, size, error);
}

/* Finds one stream and its packets. */
static bool parse_stream(Bytes *bytes, const Block *block, Stream *stream, Error *error)
{
    const uint8_t *head = take(bytes, STREAM_BYTES);
    if (!head)
        return fail(error, "a stream header runs past the end of its block");
    if (head[0] >= CODECS)
        return fail(error, "a stream of codec %u: unknown here; upgrade h5vidstack", head[0]);
    *stream = (Stream){.codec = (CodecId)head[0], .depth = head[1], .component = head[2],
                       .low = head[3], .bits = head[4], .packets = little32(head + 8),
                       .extra_size = little32(head + 12)};
    stream->width = head[5];
    if (stream->width < 1 || stream->width > 4 || little16(head + 6) || stream->bits > stream->depth ||
        !has_depth(stream->codec, stream->depth))
        return fail(error, "a stream uses a transform that is unknown here: upgrade h5vidstack");
    if (!stream->bits || stream->packets != (is_whole(stream->codec) ? 1 : block->frames))
        return fail(error, "a stream of %u packets in a block of %u frames", stream->packets,
                    block->frames);
    if (stream->extra_size && !takes_configuration(stream->codec))
        return fail(error, "a stream of codec %u takes no decoder configuration", stream->codec);
    if (stream->component >= block->channels || stream->low + stream->bits > block->bits)
        return fail(error, "a stream holds bits that are not there");
    stream->sizes = take(bytes, stream->width * (uint64_t)stream->packets);
    stream->extra = stream->sizes ? take(bytes, stream->extra_size) : NULL;
    uint64_t size = 0;
    for (uint32_t i = 0; stream->sizes && i < stream->packets; i++)
        size += packet_size(stream, i);
    stream->data = stream->extra ? take(bytes, size) : NULL;
    if (!stream->data)
        return fail(error, "a stream's packets run past the end of their block");
    return true;
}

bool parse_block(const uint8_t *data, size_t size, const Chunk *chunk, Block *block, Error *error)
{
    if (!parse_header(data, size, chunk, block, error))
        return false;
    Bytes rest = {data + 32, size - 32};
    if (!parse_steps(&rest, chunk, block, error))
        return false;
    uint64_t used[CHANNELS] = {0};
    for (unsigned i = 0; i < block->streams; i++) {
        Stream *stream = &block->stream[i];
        if (!parse_stream(&rest, block, stream, error))
            return false;
        uint64_t bits = ((1ull << stream->bits) - 1) << stream->low;
        if (used[stream->component] & bits)
            return fail(error, "a stream holds bits of another");
        used[stream->component] |= bits;
    }
    if (rest.left)
        return fail(error, "a block has %zu bytes that no stream claims", rest.left);
    return true;
}

static void put32(uint8_t *at, size_t number)
{
    uint32_t word = (uint32_t)number;
    memcpy(at, &word, sizeof word);
}

void seal_block(uint8_t *data, size_t size, const Chunk *chunk, const Block *block)
{
    memset(data, 0, HEAD_BYTES);
    memcpy(data, "H5VB", 4);
    data[8] = BLOCK_VERSION;
    data[10] = chunk->kind == 'b' ? 'u' : (uint8_t)chunk->kind;
    data[11] = (uint8_t)chunk->size;
    put32(data + 12, size);
    put32(data + 16, block->frames);
    put32(data + 20, block->height);
    put32(data + 24, block->width);
    put32(data + 28, block->channels | block->streams << 16);
    data[32] = (uint8_t)block->colour;
    data[33] = (uint8_t)block->predictor;
    data[36] = (uint8_t)block->mapping;
    data[37] = (uint8_t)block->bits;
    memcpy(data + 40, &block->base, 8);
    memcpy(data + 48, &block->step, 8);
    put32(data + 4, crc32_of(data + 8, size - 8));
}
