/* The plugin's filter on any bytes: for libFuzzer (`make -C plugin fuzz`), or, with REPLAY, on
 * records from standard input, each behind its length in 4 bytes (`make -C plugin replay`).
 *
 * An input is the filter's 8 parameters, 4 bytes each, and a block. If parameter 1, which a reader
 * ignores, is odd, length and CRC of the block are made right first: what is behind them is tried.
 * What is wrong: whatever the sanitizers say, and a result that is not as promised.
 */

#include "../../h5vidstack/_core/block.h"
#include "../../h5vidstack/_core/hdf5_abi.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    HEAD = 4 * PARAMETERS,
    MOST_WRITTEN = 1 << 14, /* bytes of a chunk that is written again: writing takes longer */
    MOST = 4 << 20, /* bytes of a chunk: a larger one takes time and finds nothing new */
};

const void *H5PLget_plugin_info(void);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void need(bool right, const char *what)
{
    if (!right) {
        fprintf(stderr, "FINDING: %s\n", what);
        abort();
    }
}

static void reseal(uint8_t *block, size_t size)
{
    uint32_t length = (uint32_t)size;
    memcpy(block + 12, &length, 4);
    uint32_t crc = crc32_of(block + 8, size - 8);
    memcpy(block + 4, &crc, 4);
}

/* Has a copy of a block decoded as HDF5 would, or of a chunk encoded; gives the result, or NULL. */
static uint8_t *run(unsigned flags, const unsigned *values, size_t count, const uint8_t *block,
                    size_t size, size_t *bytes)
{
    const FilterClass *plugin = H5PLget_plugin_info();
    void *buffer = malloc(size ? size : 1), *given = buffer;
    need(buffer, "no memory");
    memcpy(buffer, block, size);
    size_t allocated = size;
    *bytes = plugin->filter(flags, count, values, size, &allocated, &buffer);
    if (*bytes)
        return buffer;
    need(buffer == given && allocated == size, "a failure changed its arguments");
    free(buffer);
    return NULL;
}

/* Any pixels can be written, and come back. */
static void write_again(const unsigned *values, const uint8_t *chunk, size_t size)
{
    size_t written, again;
    uint8_t *block = run(0, values, PARAMETERS, chunk, size, &written);
    need(block, "sound pixels were not written");
    uint8_t *same = run(H5Z_READING, values, PARAMETERS, block, written, &again);
    need(same && again == size && !memcmp(chunk, same, size), "other pixels came back");
    free(same);
    free(block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned values[PARAMETERS];
    if (size < HEAD)
        return 0;
    memcpy(values, data, HEAD);
    unsigned __int128 pixels = values[3] | 1;
    for (int i = 4; i < 7; i++)
        pixels = pixels > MOST ? pixels : pixels * (values[i] | 1);
    if (pixels * (values[7] & 255) > MOST)
        return 0;
    size -= HEAD;
    uint8_t *block = malloc(size ? size : 1); /* of its own, so that what is beyond it is seen */
    need(block, "no memory");
    memcpy(block, data + HEAD, size);
    if (values[1] & 1 && size >= 16)
        reseal(block, size);
    size_t count = values[1] & 2 ? 7 : 8, bytes, again;
    uint8_t *chunk = run(H5Z_READING, values, count, block, size, &bytes);
    if (chunk) {
        size_t promised = values[7] & 255;
        for (int i = 3; i < 7; i++)
            promised *= values[i];
        need(bytes == promised, "a chunk of another size");
        uint8_t *same = run(H5Z_READING, values, count, block, size, &again);
        need(same && again == bytes && !memcmp(chunk, same, bytes), "the cache gave other pixels");
        free(same);
        if (bytes <= MOST_WRITTEN)
            write_again(values, chunk, bytes);
        free(chunk);
    }
    free(block);
    return 0;
}

#ifdef REPLAY
int main(void)
{
    static uint8_t record[16 << 20];
    uint8_t length[4];
    unsigned long long count = 0;
    for (; fread(length, 1, 4, stdin) == 4; count++) {
        size_t size = little32(length);
        need(size <= sizeof record && fread(record, 1, size, stdin) == size, "a record is cut");
        uint8_t *exact = malloc(size ? size : 1);
        need(exact, "no memory");
        memcpy(exact, record, size);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    printf("%llu inputs, no finding\n", count);
    return 0;
}
#endif
