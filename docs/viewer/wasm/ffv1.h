/* FFV1 (RFC 9043) as blocks have it: version 0 or 1, gray, one slice. */

#ifndef H5VIDSTACK_WASM_FFV1_H
#define H5VIDSTACK_WASM_FFV1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct Ffv1 Ffv1;

/* NULL where there is no memory. */
Ffv1 *ffv1_open(uint32_t height, uint32_t width, unsigned bits);
void ffv1_close(Ffv1 *decoder);

/* Decodes the next frame into rows of bytes, or for over 8 bits of 16-bit words, without gaps. */
bool ffv1_decode(Ffv1 *decoder, const uint8_t *packet, size_t size, void *out);

#endif
