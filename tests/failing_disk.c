/* A disk that fails once a file says so: preloaded into a process, it turns what the process
   writes to its ledger's log into the fault named by FAILING_DISK ("write" or "sync"). */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int fails(int descriptor, const char *how) {
    const char *kind = getenv("FAILING_DISK"), *sign = getenv("FAILING_DISK_SIGN");
    char link[64], name[4096];
    ssize_t length;
    if (!kind || !sign || strcmp(kind, how) || access(sign, F_OK))
        return 0;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    length = readlink(link, name, sizeof name - 1);
    if (length < 4 || memcmp(name + length - 4, "-wal", 4))
        return 0;
    errno = EIO;
    return 1;
}

ssize_t pwrite64(int descriptor, const void *bytes, size_t count, off_t place) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite64");
    return fails(descriptor, "write") ? -1 : real(descriptor, bytes, count, place);
}

ssize_t pwrite(int descriptor, const void *bytes, size_t count, off_t place) {
    ssize_t (*real)(int, const void *, size_t, off_t) = dlsym(RTLD_NEXT, "pwrite");
    return fails(descriptor, "write") ? -1 : real(descriptor, bytes, count, place);
}

ssize_t write(int descriptor, const void *bytes, size_t count) {
    ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
    return fails(descriptor, "write") ? -1 : real(descriptor, bytes, count);
}

int fsync(int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fsync");
    return fails(descriptor, "sync") ? -1 : real(descriptor);
}

int fdatasync(int descriptor) {
    int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");
    return fails(descriptor, "sync") ? -1 : real(descriptor);
}
