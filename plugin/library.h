/* Libraries that are loaded when a block needs them, and the rest of the plugin's own parts. */

#ifndef H5VIDSTACK_LIBRARY_H
#define H5VIDSTACK_LIBRARY_H

#include "../h5vidstack/_core/block.h"

/* Names of files of libraries: with the version of their interface, and of any version. */
#ifdef __APPLE__
#define VERSIONED(name, version) name "." version ".dylib"
#define OF_H5PY(name) "../../h5py/.dylibs/" name "*.dylib"
#define OF_PYAV(name) "../../av/.dylibs/" name "*.dylib"
#define BESIDE(name) name "*.dylib"
#else
#define VERSIONED(name, version) name ".so." version
#define OF_H5PY(name) "../../h5py.libs/" name "*.so*"
#define OF_PYAV(name) "../../av.libs/" name "*.so*"
#define BESIDE(name) name "*.so*"
#endif

/* One of a library's functions: its name, and the place of the pointer to it. */
typedef struct {
    const char *name;
    void *place;
} Symbol;

typedef struct {
    const char *variable;     /* names a file by itself, or NULL */
    const char *const *names; /* as the system's linker finds it, the best first */
    const char *const *beside; /* patterns of files, from the plugin's folder */
    const char *missing;      /* what to say where there is none */
    const Symbol *symbols;
} Library;

/* Loads a library and finds its functions. It stays loaded. */
bool load(const Library *library, Error *error);

/* ---- video.c ---- */
bool decode_video(const Stream *stream, const Sink *sink, Error *error);

/* ---- cache.c: chunks that were decoded last ---- */

/* Whether a chunk is kept; it is copied to `out`, unless that is NULL. */
bool recall(const unsigned *values, const uint8_t *block, size_t packed, uint8_t *out);

/* Keeps a copy of a chunk, if it is not too large and there is memory. */
void keep(const unsigned *values, const uint8_t *block, size_t packed, const uint8_t *chunk,
          size_t bytes);

#endif
