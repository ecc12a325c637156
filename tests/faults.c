/* Preloaded: the nth call that changes a file under a folder fails, or kills the process.

   cc -shared -fPIC -o faults.so faults.c -ldl; LD_PRELOAD=faults.so; then
   faults_arm(folder, nth, error, how) counts from there on, faults_count() tells how far. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>

enum { ONCE, FOR_EVER, SHORT, KILL }; /* SHORT: half is written; all after that fail */

static char folder[PATH_MAX];
static long nth, error, how;
static atomic_long count;

void faults_arm(const char *path, long number, int code, int what) {
    snprintf(folder, sizeof folder, "%s", path);
    nth = number, error = code, how = what, count = 0;
}

long faults_count(void) { return count; }

static int within(const char *path) {
    size_t length = strlen(folder);
    return length && !strncmp(path, folder, length) && (!path[length] || path[length] == '/');
}

static int holds_fd(int fd) {
    char link[64], path[PATH_MAX];
    if (!*folder) return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length < 0) return 0;
    path[length] = 0;
    return within(path);
}

static int holds_path(int at, const char *name) {
    char path[PATH_MAX];
    if (!*folder || !name) return 0;
    if (*name == '/') return within(name);
    if (at != AT_FDCWD) return holds_fd(at);
    return getcwd(path, sizeof path) && within(path);
}

/* Whether this call fails; *partly: whether half of it is to be done first. */
static int fails(int held, int *partly) {
    if (!held) return 0;
    long number = ++count;
    if (how == KILL) {
        if (number == nth) kill(getpid(), SIGKILL);
        return 0;
    }
    if (partly && how == SHORT && number == nth) {
        *partly = 1;
        return 0;
    }
    if (number == nth || (how != ONCE && nth && number > nth)) {
        errno = error;
        return 1;
    }
    return 0;
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))
#define HALF(n) ((n) > 1 ? (n) / 2 : (n))

#define WRITES(name, parameters, held, full, half)                                                 \
    ssize_t name parameters {                                                                      \
        int partly = 0, old = errno;                                                               \
        if (fails(held, &partly)) return -1;                                                       \
        errno = old;                                                                               \
        return partly ? REAL(name) half : REAL(name) full;                                         \
    }

WRITES(write, (int fd, const void *data, size_t n), holds_fd(fd), (fd, data, n), (fd, data, HALF(n)))
WRITES(pwrite, (int fd, const void *data, size_t n, off_t at), holds_fd(fd), (fd, data, n, at),
       (fd, data, HALF(n), at))
WRITES(pwrite64, (int fd, const void *data, size_t n, off64_t at), holds_fd(fd), (fd, data, n, at),
       (fd, data, HALF(n), at))
WRITES(writev, (int fd, const struct iovec *parts, int n), holds_fd(fd), (fd, parts, n),
       (fd, parts, HALF(n)))
WRITES(sendfile, (int to, int from, off_t *at, size_t n), holds_fd(to), (to, from, at, n),
       (to, from, at, HALF(n)))
WRITES(sendfile64, (int to, int from, off64_t *at, size_t n), holds_fd(to), (to, from, at, n),
       (to, from, at, HALF(n)))
WRITES(copy_file_range,
       (int from, off64_t *at, int to, off64_t *place, size_t n, unsigned int flags), holds_fd(to),
       (from, at, to, place, n, flags), (from, at, to, place, HALF(n), flags))

#define DOES(name, parameters, held, full)                                                         \
    int name parameters {                                                                          \
        int old = errno;                                                                           \
        if (fails(held, NULL)) return -1;                                                          \
        errno = old;                                                                               \
        return REAL(name) full;                                                                    \
    }

DOES(ftruncate, (int fd, off_t size), holds_fd(fd), (fd, size))
DOES(ftruncate64, (int fd, off64_t size), holds_fd(fd), (fd, size))
DOES(fsync, (int fd), holds_fd(fd), (fd))
DOES(fdatasync, (int fd), holds_fd(fd), (fd))
DOES(rename, (const char *old_name, const char *name), holds_path(AT_FDCWD, name), (old_name, name))
DOES(renameat, (int from, const char *old_name, int to, const char *name), holds_path(to, name),
     (from, old_name, to, name))
DOES(renameat2, (int from, const char *old_name, int to, const char *name, unsigned int flags),
     holds_path(to, name), (from, old_name, to, name, flags))
DOES(mkdir, (const char *name, mode_t mode), holds_path(AT_FDCWD, name), (name, mode))

/* Removing needs no room: a place to be killed at, but no fault. */
#define REMOVES(name, parameters, held, full)                                                      \
    int name parameters {                                                                          \
        if (how == KILL) fails(held, NULL);                                                        \
        return REAL(name) full;                                                                    \
    }

REMOVES(unlink, (const char *name), holds_path(AT_FDCWD, name), (name))
REMOVES(unlinkat, (int at, const char *name, int flags), holds_path(at, name), (at, name, flags))
REMOVES(rmdir, (const char *name), holds_path(AT_FDCWD, name), (name))

/* What is opened to be made: a folder may have no room for a name. */
#define OPENS(name, parameters, held, ...)                                                         \
    int name parameters {                                                                          \
        int mode = 0, old = errno;                                                                 \
        if (flags & (O_CREAT | __O_TMPFILE)) {                                                     \
            va_list more;                                                                          \
            va_start(more, flags);                                                                 \
            mode = va_arg(more, int);                                                              \
            va_end(more);                                                                          \
        }                                                                                          \
        if (flags & (O_CREAT | O_TRUNC | (__O_TMPFILE & ~O_DIRECTORY)) && fails(held, NULL))       \
            return -1;                                                                             \
        errno = old;                                                                               \
        return REAL(name)(__VA_ARGS__, flags, mode);                                               \
    }

OPENS(open, (const char *path, int flags, ...), holds_path(AT_FDCWD, path), path)
OPENS(open64, (const char *path, int flags, ...), holds_path(AT_FDCWD, path), path)
OPENS(openat, (int at, const char *path, int flags, ...), holds_path(at, path), at, path)
OPENS(openat64, (int at, const char *path, int flags, ...), holds_path(at, path), at, path)
