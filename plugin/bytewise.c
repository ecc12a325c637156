/* deflate and LZMA, by zlib and liblzma, which are loaded when a block needs them. */

#include "library.h"

#include <pthread.h>
#include <stdlib.h>

enum { MAX_DICTIONARY = 16 << 20, MIN_DICTIONARY = 4096 }; /* of LZMA, in bytes */

/* ---- zlib ---- */

static int (*uncompress)(uint8_t *to, unsigned long *size, const uint8_t *from,
                         unsigned long packed);

static const Library ZLIB = {
    .names = (const char *const[]){VERSIONED("libz", "1"), NULL},
    .beside = (const char *const[]){OF_H5PY("libz"), OF_PYAV("libz"), NULL},
    .missing = "a block needs zlib, and there is no " VERSIONED("libz", "1") ": install zlib (Debian: zlib1g)",
    .symbols = (const Symbol[]){{"uncompress", &uncompress}, {NULL, NULL}},
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* Loads a library once; `ready` is whether it was. */
static bool need(const Library *library, bool *ready, Error *error)
{
    pthread_mutex_lock(&lock);
    bool good = *ready || load(library, error);
    *ready = good;
    pthread_mutex_unlock(&lock);
    return good;
}

bool inflate_exactly(const uint8_t *from, size_t packed, uint8_t *to, size_t size, Error *error)
{
    static bool ready;
    if (!need(&ZLIB, &ready, error))
        return false;
    unsigned long made = size;
    if (uncompress(to, &made, from, packed) != 0 || made != size)
        return fail(error, "a zlib stream is damaged, or has not the %zu bytes promised", size);
    return true;
}

/* A frame of a stream: its byte planes, and its values. */
typedef struct {
    size_t size; /* of the planes, in bytes */
    uint8_t *planes, *values;
} Buffers;

static bool decode_deflate(const Stream *stream, const Sink *sink, const Buffers *b, Error *error)
{
    const uint8_t *data = stream->data;
    for (uint32_t i = 0; i < sink->frames; i++) {
        uint32_t size = packet_size(stream, i);
        if (!inflate_exactly(data, size, b->planes, b->size, error))
            return false;
        if (!put_planes(stream, sink, i, b->planes, b->values, error))
            return false;
        data += size;
    }
    return true;
}

/* ---- liblzma ---- */

/* The parts of liblzma 5's interface that a raw decoder has (lzma/base.h, lzma12.h, filter.h). What
 * is reserved there has room here. */
typedef struct {
    const uint8_t *next_in;
    size_t avail_in;
    uint64_t total_in;
    uint8_t *next_out;
    size_t avail_out;
    uint64_t total_out;
    void *reserved[16];
} LzmaStream;

typedef struct {
    uint32_t dict_size;
    uint32_t reserved[63];
} LzmaOptions;

typedef struct {
    uint64_t id;
    void *options;
} LzmaFilter;

enum { LZMA_FINISH = 3, LZMA_OK = 0, LZMA_STREAM_END = 1, LZMA2 = 0x21 };
#define LZMA_NO_FILTER UINT64_MAX

static int (*lzma_raw_decoder)(LzmaStream *, const LzmaFilter *);
static int (*lzma_code)(LzmaStream *, int action);
static void (*lzma_end)(LzmaStream *);

static const Library LIBLZMA = {
    .names = (const char *const[]){VERSIONED("liblzma", "5"), NULL},
    .beside = (const char *const[]){OF_PYAV("liblzma"), NULL},
    .missing = "a block was coded by LZMA, and there is no " VERSIONED("liblzma", "5")
               ": install XZ Utils' library (Debian: liblzma5)",
    .symbols = (const Symbol[]){{"lzma_raw_decoder", &lzma_raw_decoder}, {"lzma_code", &lzma_code},
                                {"lzma_end", &lzma_end}, {NULL, NULL}},
};

static bool run_lzma(LzmaStream *lzma, const Stream *stream, const Sink *sink, const Buffers *b,
                     Error *error)
{
    int result = LZMA_OK;
    for (uint32_t i = 0; i < sink->frames; i++) {
        lzma->next_out = b->planes;
        lzma->avail_out = b->size;
        while (lzma->avail_out && result == LZMA_OK)
            result = lzma_code(lzma, LZMA_FINISH);
        if (lzma->avail_out)
            return fail(error, "LZMA cannot decode frame %u of a packet", i);
        if (!put_planes(stream, sink, i, b->planes, b->values, error))
            return false;
    }
    if (result == LZMA_OK) /* the mark of the end */
        result = lzma_code(lzma, LZMA_FINISH);
    if (result != LZMA_STREAM_END)
        return fail(error, "an LZMA packet holds more than its frames");
    return true;
}

static bool decode_lzma(const Stream *stream, const Sink *sink, const Buffers *b, Error *error)
{
    static bool ready;
    uint32_t size = stream->extra_size == 4 ? little32(stream->extra) : UINT32_MAX;
    if (size > MAX_DICTIONARY)
        return fail(error, "an LZMA stream whose dictionary is not allowed");
    if (!need(&LIBLZMA, &ready, error))
        return false;
    LzmaOptions options = {.dict_size = size < MIN_DICTIONARY ? MIN_DICTIONARY : size};
    const LzmaFilter filters[] = {{LZMA2, &options}, {LZMA_NO_FILTER, NULL}};
    LzmaStream lzma = {.next_in = stream->data, .avail_in = packet_size(stream, 0)};
    if (lzma_raw_decoder(&lzma, filters) != LZMA_OK)
        return no_memory(error, options.dict_size);
    bool decoded = run_lzma(&lzma, stream, sink, b, error);
    lzma_end(&lzma);
    return decoded;
}

bool decode_elsewhere(const Stream *stream, const Sink *sink, Error *error)
{
    if (stream->codec != DEFLATE && stream->codec != LZMA)
        return decode_video(stream, sink, error);
    size_t pixels = (size_t)sink->height * sink->width, size = pixels * (stream->depth / 8);
    size_t values = stream->depth > 8 ? 8 * pixels : 1;
    Buffers buffers = {size, malloc(size), malloc(values)};
    bool decoded = !buffers.planes || !buffers.values
                       ? no_memory(error, size + values)
                   : stream->codec == DEFLATE ? decode_deflate(stream, sink, &buffers, error)
                                              : decode_lzma(stream, sink, &buffers, error);
    free(buffers.planes);
    free(buffers.values);
    return decoded;
}
