/* A disk that fails: preloaded into the real binary, it counts what is done to the files of the database and makes the
 * Nth operation go wrong.
 *
 *   FAULT_AT=N     which one, from 1; without it only counts
 *   FAULT_MODE     eio    that one fails with EIO
 *                  enospc that one and every later one that needs room fails with ENOSPC
 *                  kill   the process dies instead
 *                  torn   half of it is written, then the process dies
 *   FAULT_FILES    a part of the paths of other files than the database's
 *   FAULT_COUNT    a file that gets one byte for each operation
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_long done;

/* asl.db, asl.db-wal, asl.db-shm, or what FAULT_FILES says. */
static int is_ours(int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0) return 0;
    path[length] = 0;
    const char *files = getenv("FAULT_FILES");
    return strstr(path, files ? files : "asl.db") != NULL;
}

static void die(void) {
    syscall(SYS_kill, syscall(SYS_getpid), SIGKILL);
    for (;;) pause();
}

enum { GOES, FAILS, TORN };

/* What becomes of this operation; errno is set when it fails. */
static int fate(int fd, int needs_room) {
    if (!is_ours(fd)) return GOES;
    long n = atomic_fetch_add(&done, 1) + 1;
    const char *count = getenv("FAULT_COUNT"), *at = getenv("FAULT_AT"), *mode = getenv("FAULT_MODE");
    if (count) {
        int log = syscall(SYS_openat, AT_FDCWD, count, O_WRONLY | O_CREAT | O_APPEND, 0600);
        syscall(SYS_write, log, "x", 1);
        syscall(SYS_close, log);
    }
    if (!at || !mode || n < atol(at)) return GOES;
    if (!strcmp(mode, "enospc")) {
        errno = ENOSPC;
        return needs_room ? FAILS : GOES;
    }
    if (n > atol(at)) return GOES;
    if (!strcmp(mode, "kill")) die();
    if (!strcmp(mode, "torn")) {
        if (!needs_room) die();
        return TORN;
    }
    errno = EIO;
    return FAILS;
}

ssize_t write(int fd, const void *from, size_t size) {
    switch (fate(fd, 1)) {
        case FAILS: return -1;
        case TORN: syscall(SYS_write, fd, from, size / 2); die();
    }
    return syscall(SYS_write, fd, from, size);
}

ssize_t pwrite64(int fd, const void *from, size_t size, off_t at) {
    switch (fate(fd, 1)) {
        case FAILS: return -1;
        case TORN: syscall(SYS_pwrite64, fd, from, size / 2, at); die();
    }
    return syscall(SYS_pwrite64, fd, from, size, at);
}

ssize_t pwrite(int fd, const void *from, size_t size, off_t at) { return pwrite64(fd, from, size, at); }

int ftruncate64(int fd, off_t size) {
    switch (fate(fd, 1)) {
        case FAILS: return -1;
        case TORN: die();
    }
    return syscall(SYS_ftruncate, fd, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) { return fate(fd, 0) == FAILS ? -1 : syscall(SYS_fsync, fd); }

int fdatasync(int fd) { return fate(fd, 0) == FAILS ? -1 : syscall(SYS_fdatasync, fd); }
