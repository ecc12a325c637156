/* Preloaded: counts how often a decoder of FFmpeg is opened, a byte each in the file $COUNTED.

   cc -shared -fPIC -o count.so count_decoders.c \
      -Wl,--no-as-needed $(pkg-config --libs libavcodec) -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int avcodec_open2(void *context, const void *codec, void **options) {
    int (*real)(void *, const void *, void **);
    *(void **)&real = dlsym(RTLD_NEXT, "avcodec_open2");
    FILE *file = fopen(getenv("COUNTED"), "a");
    if (!real || !file) abort();
    fputc('x', file);
    fclose(file);
    return real(context, codec, options);
}
