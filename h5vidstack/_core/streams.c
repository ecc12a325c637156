/* Packets to planes: lpc, and bits as they are; other codecs are elsewhere. */

#include "block.h"
#include "lpc.h"

#include <stdlib.h>

#define DEPTH(bits) (1u << (bits))
#define ALL_DEPTHS (DEPTH(17) - DEPTH(1))

typedef struct {
    uint32_t depths;
    bool here;
    bool configured; /* streams have a decoder configuration; of others FFmpeg would take it, too */
    bool whole;      /* one packet for all frames */
} Codec;

static const Codec CODEC[CODECS] = {
    [RAW] = {ALL_DEPTHS, .here = true},
    [LPC] = {ALL_DEPTHS, .here = true, .configured = true},
    [X264] = {DEPTH(8) | DEPTH(10)},
    [FFV1] = {DEPTH(8) | DEPTH(10) | DEPTH(12) | DEPTH(16)},
    [MPEG4] = {DEPTH(8)},
    [DEFLATE] = {DEPTH(8)},
    [LZMA] = {DEPTH(8), .configured = true, .whole = true},
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
    return depth <= 16 && CODEC[codec].depths & DEPTH(depth);
}

/* Bit planes, the lowest first: a bit a pixel, the first one highest; planes end with a byte. */
static void gather_bits(const uint8_t *planes, unsigned depth, uint16_t *values, size_t count)
{
    size_t length = (count + 7) / 8;
    memset(values, 0, count * sizeof *values);
    for (unsigned bit = 0; bit < depth; bit++, planes += length)
        for (size_t x = 0; x < count; x++)
            values[x] |= (uint16_t)((planes[x / 8] >> (7 - x % 8) & 1) << bit);
}

static bool decode_raw(const Stream *stream, const Sink *sink, uint8_t *frame, Error *error)
{
    const uint8_t *data = stream->data;
    size_t pixels = (size_t)sink->height * sink->width;
    bool bytes = stream->depth == 8 || stream->depth == 16;
    size_t length = bytes ? pixels * stream->depth / 8 : stream->depth * ((pixels + 7) / 8);
    size_t value = stream->depth > 8 ? 2 : 1;
    for (uint32_t i = 0; i < sink->frames; i++, data += length) {
        if (little32(stream->sizes + 4 * (size_t)i) != length)
            return fail(error, "a raw packet has %u bytes; its frame has %zu",
                        little32(stream->sizes + 4 * (size_t)i), length);
        if (!bytes) {
            gather_bits(data, stream->depth, (uint16_t *)(void *)frame, pixels);
            for (size_t x = 0; value == 1 && x < pixels; x++)
                frame[x] = frame[2 * x];
        }
        if (!sink->put(sink, i, bytes ? data : frame, (ptrdiff_t)(sink->width * value), error))
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
        packets[i] = (LpcBytes){data, little32(stream->sizes + 4 * (size_t)i)};
        data += packets[i].size;
    }
    LpcBytes configuration = {stream->extra, stream->extra_size};
    LpcShape shape = {sink->frames, sink->height, sink->width, stream->depth};
    const char *reason = "";
    LpcStatus status = lpc_decode(configuration, packets, &shape, 0, sink->frames, out, size, step,
                                  &reason);
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
    size_t size = (size_t)sink->height * sink->width * 2;
    uint8_t *frame = malloc(size);
    if (!frame)
        return no_memory(error, size);
    bool decoded = decode_raw(stream, sink, frame, error);
    free(frame);
    return decoded;
}
