/* A libavcodec that stands before the real one, with which it is linked. It counts how often a decoder
 * is opened, a byte each in the file $COUNTED, and has the major version $MAJOR.
 *
 *     cc -shared -fPIC -o shim.so ffmpeg_shim.c -Wl,--no-as-needed -l:libavcodec.so.59 -ldl */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

int avcodec_open2(void *context, const void *codec, void **options) {
    int (*real)(void *, const void *, void **);
    *(void **)&real = dlsym(RTLD_NEXT, "avcodec_open2");
    const char *name = getenv("COUNTED");
    FILE *file = name ? fopen(name, "a") : NULL;
    if (file) {
        fputc('x', file);
        fclose(file);
    }
    return real(context, codec, options);
}

unsigned avcodec_version(void) {
    unsigned (*real)(void);
    *(void **)&real = dlsym(RTLD_NEXT, "avcodec_version");
    const char *major = getenv("MAJOR");
    return major ? (unsigned)atoi(major) << 16 : real();
}
