/* The filter for an HDF5 that was compiled to WebAssembly: a plugin that it loads as a side module of
 * Emscripten. It reads blocks and writes none.
 *
 * Video is decoded by the browser, which answers later, while HDF5 waits for nothing. So a read of such
 * a block fails at first, and leaves orders: where the packets are, and where the planes are to go. The
 * error says at which address. A program that fills the orders, and reads again, gets the pixels.
 */

#include "block.h"
#include "bytewise.h"
#include "ffv1.h"
#include "hdf5_abi.h"

#include <stdlib.h>

/* The host's. */
void *H5allocate_memory(size_t size, bool clear);
int H5free_memory(void *memory);
int H5Epush2(Hid stack, const char *file, const char *function, unsigned line, Hid class, Hid major,
             Hid minor, const char *format, ...);
int iprintf(const char *format, ...); /* of whole numbers and texts */
extern Hid H5E_ERR_CLS_g, H5E_PLINE_g, H5E_CANTFILTER_g;

/* ---- Video, decoded by others ---- */

enum { ORDERS = 8 };

/* ../worker.js reads this: all fields are 32 bits wide. */
typedef struct {
    uint32_t filled; /* 1 when the planes are there */
    uint32_t codec, depth, frames, height, width;
    uint8_t *sizes; /* of the packets, 4 bytes each; then the packets; then the planes */
    uint8_t *packets;
    uint32_t bytes; /* of the packets */
    uint8_t *planes;
} Order;

static struct {
    uint32_t count;
    Order order[ORDERS];
    uint32_t crc, size; /* of the block that they are for */
    unsigned next;      /* that a stream has not used */
} orders;

static bool is_video(CodecId codec)
{
    return codec == X264 || codec == MPEG4;
}

static void forget_orders(void)
{
    for (uint32_t i = 0; i < orders.count; i++)
        free(orders.order[i].sizes);
    orders.count = 0;
}

static bool place_order(const Block *block, const Stream *stream, Error *error)
{
    size_t sizes = 4 * (size_t)stream->packets, bytes = 0;
    size_t planes = (size_t)block->frames * block->height * block->width * bytes_of(stream->depth);
    for (uint32_t i = 0; i < stream->packets; i++)
        bytes += packet_size(stream, i);
    size_t padded = (bytes + 7) / 8 * 8;
    uint8_t *memory = orders.count < ORDERS ? malloc(sizes + padded + planes) : NULL;
    if (!memory)
        return no_memory(error, sizes + padded + planes);
    for (uint32_t i = 0; i < stream->packets; i++) {
        uint32_t packed = packet_size(stream, i);
        memcpy(memory + 4 * (size_t)i, &packed, 4);
    }
    memcpy(memory + sizes, stream->data, bytes);
    orders.order[orders.count++] =
        (Order){0, stream->codec, stream->depth, block->frames, block->height, block->width,
                memory, memory + sizes, (uint32_t)bytes, memory + sizes + padded};
    return true;
}

/* Whether all video of a block is there. */
static bool have_video(const Block *block, const uint8_t *data, size_t size, Error *error)
{
    bool any = false, all = true;
    for (unsigned i = 0; i < block->streams; i++)
        any |= is_video(block->stream[i].codec);
    if (!any)
        return true;
    orders.next = 0;
    if (!orders.count || orders.crc != little32(data + 4) || orders.size != size) {
        forget_orders();
        orders.crc = little32(data + 4);
        orders.size = (uint32_t)size;
        for (unsigned i = 0; i < block->streams; i++)
            if (is_video(block->stream[i].codec) && !place_order(block, &block->stream[i], error))
                return false;
    }
    for (uint32_t i = 0; i < orders.count; i++)
        all &= orders.order[i].filled == 1;
    return all || fail(error, "a block holds video, which this plugin leaves to its host: %u orders "
                       "at %u", orders.count, (unsigned)(uintptr_t)&orders);
}

static bool take_video(const Stream *stream, const Sink *sink, Error *error)
{
    const Order *order = &orders.order[orders.next++];
    size_t row = (size_t)sink->width * bytes_of(stream->depth);
    for (uint32_t i = 0; i < sink->frames; i++)
        if (!sink->put(sink, i, order->planes + i * row * sink->height, (ptrdiff_t)row, error))
            return false;
    return true;
}

/* ---- Bytes ---- */

bool inflate_exactly(const uint8_t *from, size_t packed, uint8_t *to, size_t size, Error *error)
{
    return inflate_zlib(from, packed, to, size) ||
           fail(error, "a zlib stream is damaged, or has not the %zu bytes promised", size);
}

static bool decode_bytes(const Stream *stream, const Sink *sink, uint8_t *planes, size_t size,
                         uint8_t *values, Error *error)
{
    bool whole = stream->codec == LZMA;
    const uint8_t *data = stream->data;
    if (whole && !decode_lzma2(data, packet_size(stream, 0), planes, size * sink->frames))
        return fail(error, "an LZMA packet is damaged, or has not the bytes promised");
    for (uint32_t i = 0; i < sink->frames; i++) {
        uint32_t packed = whole ? 0 : packet_size(stream, i);
        if (!whole && !inflate_exactly(data, packed, planes, size, error))
            return false;
        if (!put_planes(stream, sink, i, planes, values, error))
            return false;
        data += packed;
        planes += whole ? size : 0;
    }
    return true;
}

static bool decode_ffv1(const Stream *stream, const Sink *sink, Error *error)
{
    size_t row = (size_t)sink->width * bytes_of(stream->depth), size = row * sink->height;
    Ffv1 *decoder = ffv1_open(sink->height, sink->width, stream->depth);
    uint8_t *plane = malloc(size);
    const uint8_t *data = stream->data;
    bool decoded = decoder && plane ? true : no_memory(error, size);
    for (uint32_t i = 0; decoded && i < sink->frames; i++) {
        uint32_t packed = packet_size(stream, i);
        decoded = ffv1_decode(decoder, data, packed, plane)
                      ? sink->put(sink, i, plane, (ptrdiff_t)row, error)
                      : fail(error, "frame %u of a stream of FFV1 is damaged", i);
        data += packed;
    }
    free(plane);
    ffv1_close(decoder);
    return decoded;
}

bool decode_elsewhere(const Stream *stream, const Sink *sink, Error *error)
{
    if (is_video(stream->codec))
        return take_video(stream, sink, error);
    if (stream->codec == FFV1)
        return decode_ffv1(stream, sink, error);
    size_t pixels = (size_t)sink->height * sink->width, size = pixels * (stream->depth / 8);
    size_t room = size * (stream->codec == LZMA ? sink->frames : 1);
    size_t values = stream->depth > 8 ? 8 * pixels : 1;
    uint8_t *planes = malloc(room), *wide = malloc(values);
    bool decoded = planes && wide ? decode_bytes(stream, sink, planes, size, wide, error)
                                  : no_memory(error, room + values);
    free(planes);
    free(wide);
    return decoded;
}

/* ---- What HDF5 calls ---- */

static void *decode(const Chunk *chunk, const uint8_t *data, size_t size, Error *error)
{
    Block *block = calloc(1, sizeof *block);
    if (!block) {
        no_memory(error, sizeof *block);
        return NULL;
    }
    void *out = NULL;
    if (parse_block(data, size, chunk, block, error) && have_video(block, data, size, error)) {
        out = H5allocate_memory(chunk->bytes, !fills_chunk(block, chunk));
        bool decoded = out ? decode_block(block, chunk, out, error) : no_memory(error, chunk->bytes);
        if (!decoded && out) {
            H5free_memory(out);
            out = NULL;
        }
        forget_orders();
    }
    free(block->table);
    free(block);
    return out;
}

static size_t filter(unsigned flags, size_t count, const unsigned *values, size_t size,
                     size_t *allocated, void **buffer)
{
    Error error = {"this plugin reads stacks, and writes none"};
    Chunk chunk;
    void *made = NULL;
    if (flags & H5Z_READING && parse_parameters(count, values, &chunk, &error))
        made = decode(&chunk, *buffer, size, &error);
    if (!made) {
        /* h5wasm shows nothing of what filters push, so errors are printed, too. */
        iprintf("h5vidstack: %s\n", error.text);
        H5Epush2(H5E_STACK, "h5vidstack.c", "h5vidstack", 0, H5E_ERR_CLS_g, H5E_PLINE_g,
                 H5E_CANTFILTER_g, "h5vidstack: %s", error.text);
        return 0;
    }
    H5free_memory(*buffer);
    *buffer = made;
    *allocated = chunk.bytes;
    return chunk.bytes;
}

static const FilterClass CLASS = {
    .version = H5Z_VERSION,
    .id = FILTER_ID,
    .decoder_present = 1,
    .name = "h5vidstack: frames as losslessly coded video",
    .filter = filter,
};

#define EXPORTED __attribute__((visibility("default")))
EXPORTED int H5PLget_plugin_type(void);
EXPORTED const void *H5PLget_plugin_info(void);

int H5PLget_plugin_type(void)
{
    return H5PL_FILTER;
}

const void *H5PLget_plugin_info(void)
{
    return &CLASS;
}
