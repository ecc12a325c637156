/* lpc: linear prediction over space and time, coded by context with rANS.
 *
 * Normative text: spec/format.md, "lpc". The decoder is integer arithmetic only; the encoder uses
 * IEEE doubles in a fixed order, so every machine writes the same bytes.
 *
 * Nothing here allocates by itself what a hostile stream asks for: the caller states the shape,
 * and all memory is bounded by it.
 */
#ifndef H5VIDSTACK_LPC_H
#define H5VIDSTACK_LPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t frames, height, width;
    unsigned bits; /* of a sample, 1 to 16 */
} LpcShape;

/* Bytes of one part of a stream: its configuration, or the packet of a frame. */
typedef struct {
    const uint8_t *data;
    size_t size;
} LpcBytes;

/* How frames refer to each other. */
typedef enum {
    LPC_INTRA,  /* none does */
    LPC_CHAIN,  /* to the frame before */
    LPC_CENTRE, /* to the third one of each run of 4 */
    LPC_REFERENCES
} LpcReferences;

typedef struct {
    LpcReferences references;
    unsigned classes;  /* coefficient sets that a pixel chooses among, 1 to 4 */
    unsigned row_step; /* least squares look at every so many steps */
    unsigned passes;   /* 2: least squares again, weighted by the errors that the first left */
} LpcSettings;

/* A stream as it was encoded. `packets` has `frames` entries; all lies in one allocation. */
typedef struct {
    LpcBytes configuration;
    LpcBytes *packets;
    void *memory;
} LpcStream;

typedef enum {
    LPC_OK,
    LPC_DAMAGED,  /* the bytes contradict themselves or the shape */
    LPC_NO_MEMORY,
    LPC_BAD_ARGUMENT,
} LpcStatus;

/* Encode samples of 1 or 2 bytes (`size`), in C order, each below 1 << bits. */
LpcStatus lpc_encode(const void *samples, unsigned size, const LpcShape *shape,
                     const LpcSettings *settings, LpcStream *stream);
void lpc_free(LpcStream *stream);

/* Where decoded samples go: `data` is the first one; frames, rows and samples lie so many samples
 * of `size` bytes (1 or 2) apart. */
typedef struct {
    void *data;
    unsigned size;
    size_t frame, row, sample;
} LpcOutput;

/* Decode frames `first` to `last - 1` of the `shape->frames` that have packets. Frames that others
 * need are decoded, too, but not written.
 *
 * `reason` is a sentence without its subject, where the result is LPC_DAMAGED.
 */
LpcStatus lpc_decode(LpcBytes configuration, const LpcBytes *packets, const LpcShape *shape,
                     uint32_t first, uint32_t last, const LpcOutput *out, const char **reason);

/* The path that this processor takes: "avx2" or "portable"; `force_portable` for tests. */
const char *lpc_path(void);
void lpc_force_portable(bool force);

#endif
