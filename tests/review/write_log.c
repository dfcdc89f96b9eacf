/* Preloaded into a process, writes down what it does to files below $WRITE_LOG_FOLDER, in order, to $WRITE_LOG:
   one record a call: operation, length of path, path, offset, length of data, data. The test makes of it what a
   disk holds after the power failed at any moment. Not for anything else: errors of the log end the process. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int log_fd = -1;
static const char *folder;

__attribute__((constructor)) static void begin(void) {
    const char *name = getenv("WRITE_LOG");
    folder = getenv("WRITE_LOG_FOLDER");
    if (name && folder) log_fd = (int)syscall(SYS_openat, AT_FDCWD, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

static void put(char operation, const char *path, uint64_t offset, const void *data, uint64_t size) {
    uint16_t length = (uint16_t)strlen(path);
    size_t total = 1 + 2 + length + 8 + 8 + size;
    char *record = malloc(total), *at = record;
    if (!record) abort();
    *at++ = operation;
    memcpy(at, &length, 2); at += 2;
    memcpy(at, path, length); at += length;
    memcpy(at, &offset, 8); at += 8;
    memcpy(at, &size, 8); at += 8;
    if (size) memcpy(at, data, size);
    if (syscall(SYS_write, log_fd, record, total) != (long)total) abort();
    free(record);
}

static int watched(const char *path) {
    return log_fd >= 0 && strncmp(path, folder, strlen(folder)) == 0;
}

static int path_of(int fd, char *path) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (log_fd < 0 || length < 0) return 0;
    path[length] = 0;
    return watched(path);
}

#define REAL(function) \
    static __typeof__(function) *real; \
    if (!real) real = (__typeof__(real))dlsym(RTLD_NEXT, #function)

static void wrote(int fd, const void *data, ssize_t size, off_t offset) {
    char path[PATH_MAX];
    if (size > 0 && path_of(fd, path)) put('W', path, (uint64_t)offset, data, (uint64_t)size);
}

static void at_fd(char operation, int fd, uint64_t offset) {
    char path[PATH_MAX];
    if (path_of(fd, path)) put(operation, path, offset, NULL, 0);
}

ssize_t write(int fd, const void *data, size_t size) {
    REAL(write);
    ssize_t done = real(fd, data, size);
    if (log_fd >= 0 && done > 0) wrote(fd, data, done, lseek(fd, 0, SEEK_CUR) - done);
    return done;
}

ssize_t pwrite64(int fd, const void *data, size_t size, off_t offset) {
    REAL(pwrite64);
    ssize_t done = real(fd, data, size, offset);
    wrote(fd, data, done, offset);
    return done;
}

ssize_t pwrite(int fd, const void *data, size_t size, off_t offset) { return pwrite64(fd, data, size, offset); }

int ftruncate64(int fd, off_t size) {
    REAL(ftruncate64);
    int result = real(fd, size);
    if (result == 0) at_fd('T', fd, (uint64_t)size);
    return result;
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fsync(int fd) {
    REAL(fsync);
    int result = real(fd);
    if (result == 0) at_fd('S', fd, 0);
    return result;
}

int fdatasync(int fd) {
    REAL(fdatasync);
    int result = real(fd);
    if (result == 0) at_fd('S', fd, 0);
    return result;
}

int unlink(const char *path) {
    REAL(unlink);
    int result = real(path);
    if (result == 0 && watched(path)) put('U', path, 0, NULL, 0);
    return result;
}

int rename(const char *from, const char *to) {
    REAL(rename);
    int result = real(from, to);
    if (result == 0 && watched(to)) put('R', from, 0, to, strlen(to));
    return result;
}
