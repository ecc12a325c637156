/* Decoders of deflate and LZMA, for hosts that export none. */

#ifndef H5VIDSTACK_WASM_BYTEWISE_H
#define H5VIDSTACK_WASM_BYTEWISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes a zlib stream (RFC 1950) of exactly `size` bytes. */
bool inflate_zlib(const uint8_t *from, size_t packed, uint8_t *to, size_t size);

/* Decodes raw LZMA2 of exactly `size` bytes; false where it is damaged or there is no memory. */
bool decode_lzma2(const uint8_t *from, size_t packed, uint8_t *to, size_t size);

#endif
