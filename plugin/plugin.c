/* What HDF5 loads and calls: the filter of section 4. */

#define _GNU_SOURCE /* dladdr */

#include "library.h"

#include "../h5vidstack/_core/hdf5_abi.h"

#include <dlfcn.h>
#include <stdlib.h>

enum {
    LARGEST_BLOCK = 32 << 20, /* beyond this glibc learns nothing */
    PRESETS = 64,             /* numbers of presets are below it */
    MAX_EDGE = 16384,         /* of a frame, as in h5vidstack */
};
static const char FILTER_NAME[] = "h5vidstack: frames as losslessly coded video";

/* Functions of the HDF5 that called us. We do not link one: a program may carry its own, and
 * must get memory that it can free, and errors on its own stack. */
typedef struct {
    void *library;
    void *(*allocate)(size_t, bool clear);
    int (*release)(void *);
} Host;

/* Where an HDF5 hides its functions, as static ones may: it takes C's memory. */
static void *plain_allocate(size_t size, bool clear)
{
    return clear ? calloc(1, size) : malloc(size);
}

static int plain_release(void *memory)
{
    free(memory);
    return 0;
}

/* `to` is the place of a pointer to a function, to which C converts no pointer to data. */
static bool find(void *library, const char *name, void *to)
{
    void *found = library ? dlsym(library, name) : NULL;
    memcpy(to, &found, sizeof found);
    return found;
}

/* The HDF5 that holds this place in its code. The caller is within it, so it stays loaded. */
static Host host_at(const void *place)
{
    Host host = {NULL, NULL, NULL};
    Dl_info info;
    if (dladdr(place, &info) && info.dli_fname)
        host.library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
    if (!host.library)
        host.library = dlopen(NULL, RTLD_LAZY); /* it is part of the program */
    bool both = find(host.library, "H5allocate_memory", &host.allocate);
    both = find(host.library, "H5free_memory", &host.release) && both;
    if (!both) {
        host.allocate = plain_allocate;
        host.release = plain_release;
    }
    return host;
}

/* Puts an error on HDF5's stack, where it can be found. */
static void report(const Host *host, const Error *error)
{
    int (*push)(Hid, const char *, const char *, unsigned, Hid, Hid, Hid, const char *, ...);
    Hid *class, *major, *minor;
    if (find(host->library, "H5Epush2", &push) && find(host->library, "H5E_ERR_CLS_g", &class) &&
        find(host->library, "H5E_PLINE_g", &major) &&
        find(host->library, "H5E_CANTFILTER_g", &minor))
        push(H5E_STACK, "h5vidstack.c", "h5vidstack", 0, *class, *major, *minor,
             "h5vidstack: %s", error->text);
}

/* ---- A dataset is made: its parameters ---- */

typedef struct {
    int (*get_chunk)(Hid, int, uint64_t *);
    int (*get_filter)(Hid, int, unsigned *, size_t *, unsigned *, size_t, char *, unsigned *);
    int (*modify_filter)(Hid, int, unsigned, size_t, const unsigned *);
    int (*type_class)(Hid), (*type_sign)(Hid), (*type_order)(Hid);
    size_t (*type_size)(Hid);
} Properties;

static bool find_properties(const Host *host, Properties *p)
{
    return find(host->library, "H5Pget_chunk", &p->get_chunk) &&
           find(host->library, "H5Pget_filter_by_id2", &p->get_filter) &&
           find(host->library, "H5Pmodify_filter", &p->modify_filter) &&
           find(host->library, "H5Tget_class", &p->type_class) &&
           find(host->library, "H5Tget_sign", &p->type_sign) &&
           find(host->library, "H5Tget_order", &p->type_order) &&
           find(host->library, "H5Tget_size", &p->type_size);
}

/* The dtype as parameter 7 has it. */
static bool describe_type(const Properties *p, Hid type, unsigned *dtype, Error *error)
{
    int class = p->type_class(type);
    size_t size = p->type_size(type);
    if (class != H5T_IS_INTEGER && class != H5T_IS_FLOAT && class != H5T_IS_ENUM)
        return fail(error, "HDF5's type class %d is no pixel: use integers, floats or bool", class);
    bool is_float = class == H5T_IS_FLOAT;
    if ((size != 1 || is_float) && size != 2 && size != 4 && size != 8)
        return fail(error, "pixels of %zu bytes: integers have 8 to 64 bits, floats 16 to 64", size);
    char kind = is_float ? 'f' : class == H5T_IS_INTEGER && p->type_sign(type) ? 'i' : 'u';
    bool big = size > 1 && p->type_order(type) == H5T_IS_BIG_ENDIAN;
    *dtype = (unsigned)size | (unsigned)kind << 8 | (unsigned)big << 16;
    return true;
}

/* A chunk's shape as frames, height, width and channels, by section 2's rule. */
static bool describe_chunk(int rank, const uint64_t *shape, unsigned *values, Error *error)
{
    if (rank < 3)
        return fail(error, "chunks of %d axes are no stack: they must be (N, H, W) or "
                    "(N, H, W, 3|4)", rank);
    bool colour = rank >= 4 && (shape[rank - 1] == 3 || shape[rank - 1] == 4);
    int edges = rank - (colour ? 3 : 2);
    uint64_t frames = 1;
    for (int i = 0; i < edges; i++)
        if (__builtin_mul_overflow(frames, shape[i], &frames) || frames > UINT32_MAX)
            return fail(error, "a chunk has too many frames");
    uint64_t height = shape[edges], width = shape[edges + 1];
    if (height > MAX_EDGE || width > MAX_EDGE)
        return fail(error, "a chunk of frames of %llu x %llu: no edge may be over %d pixels",
                    (unsigned long long)height, (unsigned long long)width, MAX_EDGE);
    values[0] = (unsigned)frames;
    values[1] = (unsigned)height;
    values[2] = (unsigned)width;
    values[3] = colour ? (unsigned)shape[rank - 1] : 1;
    return true;
}

static bool complete(const Host *host, Hid creation, Hid type, Error *error)
{
    Properties p;
    if (!find_properties(host, &p))
        return fail(error, "this HDF5 hides its functions, so datasets cannot be made with it");
    unsigned values[PARAMETERS] = {0}, flags, configuration;
    size_t count = PARAMETERS;
    uint64_t shape[H5S_RANK];
    int rank = p.get_chunk(creation, H5S_RANK, shape);
    if (rank < 1 ||
        p.get_filter(creation, FILTER_ID, &flags, &count, values, 0, NULL, &configuration) < 0)
        return fail(error, "HDF5 gives no chunk shape or filter parameters");
    if (count < 1)
        values[0] = BLOCK_VERSION;
    if (count < 3)
        values[2] = 1;
    if (values[0] != BLOCK_VERSION || values[1] >= PRESETS)
        return fail(error, "filter parameters %u, %u: give none, or %d and the number of a preset",
                    values[0], values[1], BLOCK_VERSION);
    if (!describe_chunk(rank, shape, values + 3, error) ||
        !describe_type(&p, type, &values[7], error))
        return false;
    if (count < 2)
        values[1] = preset_for(values[3]);
    /* HDF5 would store raw what an optional filter refuses. */
    return p.modify_filter(creation, FILTER_ID, H5Z_MANDATORY, PARAMETERS, values) >= 0 ||
           fail(error, "HDF5 does not take the filter's parameters");
}

static int set_local(Hid creation, Hid type, Hid space)
{
    (void)space;
    Host host = host_at(__builtin_return_address(0));
    Error error = {""};
    bool done = complete(&host, creation, type, &error);
    if (!done)
        report(&host, &error);
    if (host.library)
        dlclose(host.library);
    return done ? 0 : -1;
}

/* ---- Chunks are read and written ---- */

/* A copy of a kept chunk, or NULL. It is allocated between two looks, since that may wait for HDF5,
 * and another thread of HDF5 for our cache. */
static void *recall_chunk(const Host *host, const unsigned *values, const uint8_t *data,
                          size_t size, size_t bytes)
{
    if (!recall(values, data, size, NULL))
        return NULL;
    void *out = host->allocate(bytes, false);
    if (out && !recall(values, data, size, out)) {
        host->release(out);
        out = NULL;
    }
    return out;
}

/* Lets the C library keep the memory of a few chunks for the next ones, where it would give each back
 * to the system and take it page by page again: a tenth of the time of a fast codec. glibc learns from
 * the largest block that is freed (mallopt(3), M_MMAP_THRESHOLD); this one is never touched. */
static void expect_chunks_of(size_t bytes)
{
    static _Atomic size_t largest;
    if (bytes <= largest || bytes > LARGEST_BLOCK / 4)
        return;
    largest = bytes;
    void *volatile block = malloc(4 * bytes);
    free(block);
}

/* The chunk of a block, in the host's memory; NULL, and an error, if that cannot be. */
static void *decode_chunk(const Host *host, size_t count, const unsigned *values,
                          const uint8_t *data, size_t size, size_t *bytes, Error *error)
{
    Chunk chunk;
    if (!parse_parameters(count, values, &chunk, error))
        return NULL;
    *bytes = chunk.bytes;
    void *out = recall_chunk(host, values, data, size, chunk.bytes);
    if (out)
        return out;
    Block block = {0};
    bool decoded = parse_block(data, size, &chunk, &block, error);
    if (decoded) {
        expect_chunks_of(chunk.bytes);
        out = host->allocate(chunk.bytes, !fills_chunk(&block, &chunk));
        decoded = out ? decode_block(&block, &chunk, out, error) : no_memory(error, chunk.bytes);
    }
    free(block.table);
    if (decoded) {
        keep(values, data, size, out, chunk.bytes);
        return out;
    }
    if (out)
        host->release(out);
    return NULL;
}

/* The block of a chunk, likewise. */
static void *encode_chunk(const Host *host, size_t count, const unsigned *values,
                          const uint8_t *pixels, size_t size, size_t *bytes, Error *error)
{
    Chunk chunk;
    if (!parse_parameters(count, values, &chunk, error))
        return NULL;
    if (size != chunk.bytes) {
        fail(error, "the filter was given %zu bytes for a chunk of %zu: it must be the first "
             "filter that changes the size of a chunk", size, chunk.bytes);
        return NULL;
    }
    uint8_t *block;
    if (!encode_block(&chunk, pixels, &block, bytes, error))
        return NULL;
    void *out = host->allocate(*bytes, false);
    if (out)
        memcpy(out, block, *bytes);
    else
        no_memory(error, *bytes);
    free(block);
    return out;
}

static size_t filter(unsigned flags, size_t count, const unsigned *values, size_t size,
                     size_t *allocated, void **buffer)
{
    Host host = host_at(__builtin_return_address(0));
    Error error = {""};
    size_t bytes = 0;
    void *made = (flags & H5Z_READING ? decode_chunk : encode_chunk)(&host, count, values, *buffer,
                                                                     size, &bytes, &error);
    if (made) {
        host.release(*buffer);
        *buffer = made;
        *allocated = bytes;
    } else {
        report(&host, &error);
    }
    if (host.library)
        dlclose(host.library);
    return made ? bytes : 0;
}

static const FilterClass CLASS = {
    .version = H5Z_VERSION,
    .id = FILTER_ID,
    .encoder_present = 1,
    .decoder_present = 1,
    .name = FILTER_NAME,
    .set_local = set_local,
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
