/* What HDF5 loads and calls: the filter of section 4, for reading. */

#define _GNU_SOURCE /* dladdr */

#include "h5vidstack.h"

#include <H5PLextern.h>
#include <dlfcn.h>
#include <stdlib.h>

enum { FILTER_ID = 47113 };
static const char FILTER_NAME[] = "h5vidstack: frames as losslessly coded video";

/* Functions of the HDF5 that called us. We do not link one: a program may carry its own, and
 * must get memory that it can free, and errors on its own stack. */
typedef struct {
    void *library;
    void *(*allocate)(size_t, bool clear);
    herr_t (*release)(void *);
} Host;

/* Where an HDF5 hides its functions, as static ones may: it takes C's memory. */
static void *plain_allocate(size_t size, bool clear)
{
    return clear ? calloc(1, size) : malloc(size);
}

static herr_t plain_release(void *memory)
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
    herr_t (*push)(hid_t, const char *, const char *, unsigned, hid_t, hid_t, hid_t, const char *,
                   ...);
    hid_t *class, *major, *minor;
    if (find(host->library, "H5Epush2", &push) && find(host->library, "H5E_ERR_CLS_g", &class) &&
        find(host->library, "H5E_PLINE_g", &major) &&
        find(host->library, "H5E_CANTFILTER_g", &minor))
        push(H5E_DEFAULT, "h5vidstack.c", "h5vidstack", 0, *class, *major, *minor,
             "h5vidstack: %s", error->text);
}

/* A copy of a kept chunk, or NULL. It is allocated between two looks, since that may wait for HDF5,
 * and another thread of HDF5 for our cache. */
static void *recall_chunk(const Host *host, size_t count, const unsigned *values,
                          const uint8_t *data, size_t size, size_t bytes)
{
    if (!recall(count, values, data, size, NULL))
        return NULL;
    void *out = host->allocate(bytes, false);
    if (out && !recall(count, values, data, size, out)) {
        host->release(out);
        out = NULL;
    }
    return out;
}

/* The chunk of a block, in the host's memory; NULL, and an error, if that cannot be. */
static void *decode_chunk(const Host *host, size_t count, const unsigned *values,
                          const uint8_t *data, size_t size, size_t *bytes, Error *error)
{
    Chunk chunk;
    if (!parse_parameters(count, values, &chunk, error))
        return NULL;
    *bytes = chunk.bytes;
    void *out = recall_chunk(host, count, values, data, size, chunk.bytes);
    if (out)
        return out;
    Block block = {0};
    bool decoded = parse_block(data, size, &chunk, &block, error);
    if (decoded) {
        out = host->allocate(chunk.bytes, !fills_chunk(&block, &chunk));
        decoded = out ? decode_block(&block, &chunk, out, error) : no_memory(error, chunk.bytes);
    }
    free(block.table);
    if (decoded) {
        keep(count, values, data, size, out, chunk.bytes);
        return out;
    }
    if (out)
        host->release(out);
    return NULL;
}

static size_t filter(unsigned flags, size_t count, const unsigned values[], size_t size,
                     size_t *allocated, void **buffer)
{
    Host host = host_at(__builtin_return_address(0));
    Error error = {""};
    size_t bytes = 0;
    void *chunk = NULL;
    if (flags & H5Z_FLAG_REVERSE)
        chunk = decode_chunk(&host, count, values, *buffer, size, &bytes, &error);
    else
        fail(&error, "this plugin only reads; write with h5vidstack's Python package");
    if (chunk) {
        host.release(*buffer);
        *buffer = chunk;
        *allocated = bytes;
    } else {
        report(&host, &error);
    }
    if (host.library)
        dlclose(host.library);
    return chunk ? bytes : 0;
}

static const H5Z_class2_t CLASS = {
    .version = H5Z_CLASS_T_VERS,
    .id = FILTER_ID,
    .encoder_present = 0,
    .decoder_present = 1,
    .name = FILTER_NAME,
    .filter = filter,
};

H5PL_type_t H5PLget_plugin_type(void)
{
    return H5PL_TYPE_FILTER;
}

const void *H5PLget_plugin_info(void)
{
    return &CLASS;
}
