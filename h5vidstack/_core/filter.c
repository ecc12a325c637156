/* The filter of HDF5 as h5py calls it; see filter.h. */

#include "filter.h"

#include "block.h"

#include <stdlib.h>

static FilterHost host;
static FilterCounts counts; /* one thread is in HDF5 at a time */

bool decode_elsewhere(const Stream *stream, const Sink *sink, Error *error)
{
    (void)sink;
    return fail(error, "the core does not decode codec %d", (int)stream->codec);
}

bool inflate_exactly(const uint8_t *from, size_t packed, uint8_t *to, size_t size, Error *error)
{
    (void)from, (void)packed, (void)to;
    return fail(error, "the core inflates no table of %zu bytes", size);
}

void filter_install(const FilterHost *with)
{
    host = *with;
}

FilterCounts filter_counts(void)
{
    return counts;
}

static bool all_here(const Block *block)
{
    for (unsigned i = 0; i < block->streams; i++)
        if (!is_here(block->stream[i].codec))
            return false;
    return true;
}

/* The pixels of a block in HDF5's memory, or NULL. */
static void *decode(const Chunk *chunk, const uint8_t *data, size_t size, size_t *bytes)
{
    Error error;
    Block *block = calloc(1, sizeof *block);
    void *out = NULL;
    if (block && parse_block(data, size, chunk, block, &error) && all_here(block)) {
        *bytes = chunk->bytes;
        out = host.allocate(chunk->bytes, !fills_chunk(block, chunk));
        if (out && !decode_block(block, chunk, out, &error)) {
            host.release(out);
            out = NULL;
        }
    }
    if (block)
        free(block->table);
    free(block);
    return out;
}

/* The block of pixels in HDF5's memory, or NULL. */
static void *encode(const Chunk *chunk, const uint8_t *pixels, size_t size, size_t *bytes)
{
    Error error;
    uint8_t *block;
    if (!is_lpc(chunk->preset) || size != chunk->bytes ||
        !encode_block(chunk, pixels, &block, bytes, &error))
        return NULL;
    void *out = host.allocate(*bytes, false);
    if (out)
        memcpy(out, block, *bytes);
    free(block);
    return out;
}

size_t filter_run(unsigned flags, size_t count, const unsigned *values, size_t size,
                  size_t *allocated, void **buffer)
{
    Error error;
    Chunk chunk;
    size_t bytes = 0;
    bool reading = flags & H5Z_READING;
    void *made = NULL;
    if (parse_parameters(count, values, &chunk, &error))
        made = (reading ? decode : encode)(&chunk, *buffer, size, &bytes);
    if (!made) {
        counts.handed_on++;
        return host.otherwise(flags, count, values, size, allocated, buffer);
    }
    ++*(reading ? &counts.decoded : &counts.encoded);
    host.release(*buffer);
    *buffer = made;
    *allocated = bytes;
    return bytes;
}
