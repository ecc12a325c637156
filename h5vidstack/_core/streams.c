/* Packets to planes: lpc, and bits as they are; other codecs are elsewhere. */

#include "block.h"
#include "lpc.h"

#include <stdlib.h>

#define DEPTH(bits) (1ull << ((bits) - 1))
#define UP_TO(bits) (UINT64_MAX >> (64 - (bits)))
#define BYTES 0x8080808080808080 /* each 8 bits */

typedef struct {
    uint64_t depths;
    bool here;
    bool configured; /* streams have a decoder configuration; of others FFmpeg would take it, too */
    bool whole;      /* one packet for all frames */
} Codec;

static const Codec CODEC[CODECS] = {
    [RAW] = {.depths = UP_TO(64), .here = true},
    [LPC] = {.depths = UP_TO(16), .here = true, .configured = true},
    [X264] = {.depths = DEPTH(8) | DEPTH(10)},
    [FFV1] = {.depths = DEPTH(8) | DEPTH(10) | DEPTH(12) | DEPTH(16)},
    [MPEG4] = {.depths = DEPTH(8)},
    [DEFLATE] = {.depths = BYTES},
    [LZMA] = {.depths = DEPTH(8) | DEPTH(16) | DEPTH(32) | DEPTH(64), .configured = true, .whole = true},
};

bool takes_configuration(CodecId codec)
{
    return CODEC[codec].configured;
}

bool is_whole(CodecId codec)
{
    return CODEC[codec].whole;
}

bool is_here(CodecId codec)
{
    return CODEC[codec].here;
}

bool has_depth(CodecId codec, unsigned depth)
{
    return depth && depth <= 64 && CODEC[codec].depths & DEPTH(depth);
}

/* Values to their first `size` bytes each, in place. */
static void narrow(uint64_t *values, unsigned size, size_t count)
{
    for (size_t x = 0; size < sizeof *values && x < count; x++)
        memcpy((uint8_t *)values + x * size, &values[x], size);
}

/* Bit planes, the lowest first: a bit a pixel, the first one highest; planes end with a byte. */
static void gather_bits(const uint8_t *planes, unsigned depth, uint64_t *values, size_t count)
{
    size_t length = (count + 7) / 8;
    memset(values, 0, count * sizeof *values);
    for (unsigned bit = 0; bit < depth; bit++, planes += length)
        for (size_t x = 0; x < count; x++)
            values[x] |= (uint64_t)(planes[x / 8] >> (7 - x % 8) & 1) << bit;
}

bool put_planes(const Stream *stream, const Sink *sink, uint32_t frame, const uint8_t *planes,
                uint8_t *values, Error *error)
{
    unsigned size = bytes_of(stream->depth);
    size_t pixels = (size_t)sink->height * sink->width;
    if (size == 1 || stream->codec == LZMA) /* they are values as they are */
        return sink->put(sink, frame, planes, (ptrdiff_t)((size_t)sink->width * size), error);
    uint64_t *wide = (uint64_t *)(void *)values;
    for (size_t x = 0; x < pixels; x++) {
        wide[x] = 0;
        for (unsigned k = 0; k < stream->depth / 8; k++)
            wide[x] |= (uint64_t)planes[k * pixels + x] << 8 * k;
    }
    narrow(wide, size, pixels);
    return sink->put(sink, frame, values, (ptrdiff_t)((size_t)sink->width * size), error);
}

static bool decode_raw(const Stream *stream, const Sink *sink, uint64_t *values, Error *error)
{
    const uint8_t *data = stream->data;
    size_t pixels = (size_t)sink->height * sink->width;
    unsigned depth = stream->depth, size = bytes_of(depth);
    bool whole = depth == 8 * size;
    size_t length = whole ? pixels * size : depth * ((pixels + 7) / 8);
    for (uint32_t i = 0; i < sink->frames; i++, data += length) {
        if (packet_size(stream, i) != length)
            return fail(error, "a raw packet has %u bytes; its frame has %zu",
                        packet_size(stream, i), length);
        if (!whole) {
            gather_bits(data, depth, values, pixels);
            narrow(values, size, pixels);
        }
        if (!sink->put(sink, i, whole ? data : (const uint8_t *)values,
                       (ptrdiff_t)((size_t)sink->width * size), error))
            return false;
    }
    return true;
}

bool decode_lpc(const Stream *stream, const Sink *sink, void *out, unsigned size, size_t step,
                Error *error)
{
    LpcBytes *packets = malloc(sink->frames * sizeof *packets);
    if (!packets)
        return no_memory(error, sink->frames * sizeof *packets);
    const uint8_t *data = stream->data;
    for (uint32_t i = 0; i < sink->frames; i++) {
        packets[i] = (LpcBytes){data, packet_size(stream, i)};
        data += packets[i].size;
    }
    LpcBytes configuration = {stream->extra, stream->extra_size};
    LpcShape shape = {sink->frames, sink->height, sink->width, stream->depth};
    const char *reason = "";
    size_t row = step * sink->width;
    LpcOutput output = {out, size, row * sink->height, row, step};
    LpcStatus status =
        lpc_decode(configuration, packets, &shape, 0, sink->frames, &output, &reason);
    free(packets);
    if (status == LPC_NO_MEMORY)
        return fail(error, "no memory to decode a stream of lpc");
    return status == LPC_OK ||
           fail(error, "a stream of lpc %s", status == LPC_DAMAGED ? reason : "has no such shape");
}

bool decode_stream(const Stream *stream, const Sink *sink, Error *error)
{
    if (stream->codec != RAW)
        return decode_elsewhere(stream, sink, error);
    bool whole = stream->depth == 8 * bytes_of(stream->depth);
    size_t size = whole ? 1 : (size_t)sink->height * sink->width * 8;
    uint64_t *values = malloc(size);
    if (!values)
        return no_memory(error, size);
    bool decoded = decode_raw(stream, sink, values, error);
    free(values);
    return decoded;
}
