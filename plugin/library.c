/* Libraries that are loaded when a block needs them: programs without video need no FFmpeg. */

#define _GNU_SOURCE /* dladdr */

#include "library.h"

#include <dlfcn.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>

/* The first file of a pattern from the plugin's folder that loads. */
static void *open_beside(const char *pattern)
{
    Dl_info here;
    static const char anchor;
    char path[4096];
    if (!dladdr(&anchor, &here) || !here.dli_fname)
        return NULL;
    const char *slash = strrchr(here.dli_fname, '/');
    int folder = slash ? (int)(slash - here.dli_fname) : 1;
    int length = snprintf(path, sizeof path, "%.*s/%s", folder, slash ? here.dli_fname : ".",
                          pattern);
    glob_t found;
    if (length < 0 || (size_t)length >= sizeof path || glob(path, 0, NULL, &found))
        return NULL;
    void *handle = NULL;
    for (size_t i = 0; !handle && i < found.gl_pathc; i++)
        handle = dlopen(found.gl_pathv[i], RTLD_NOW | RTLD_LOCAL);
    globfree(&found);
    return handle;
}

static void *open_library(const Library *library, Error *error)
{
    const char *given = library->variable ? getenv(library->variable) : NULL;
    void *handle = NULL;
    if (given && *given) {
        handle = dlopen(given, RTLD_NOW | RTLD_LOCAL);
        if (!handle)
            fail(error, "%s names a library that does not load: %s", library->variable, dlerror());
        return handle;
    }
    for (const char *const *name = library->names; !handle && *name; name++)
        handle = dlopen(*name, RTLD_NOW | RTLD_LOCAL);
    for (const char *const *pattern = library->beside; !handle && *pattern; pattern++)
        handle = open_beside(*pattern);
    if (!handle)
        fail(error, "%s", library->missing);
    return handle;
}

bool load(const Library *library, Error *error)
{
    void *handle = open_library(library, error);
    if (!handle)
        return false;
    for (const Symbol *symbol = library->symbols; symbol->name; symbol++) {
        void *found = dlsym(handle, symbol->name);
        if (!found) {
            fail(error, "a library lacks the function %s: %s", symbol->name, library->missing);
            dlclose(handle);
            return false;
        }
        memcpy(symbol->place, &found, sizeof found); /* C converts no data to functions */
    }
    return true;
}
