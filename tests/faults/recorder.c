/* Writes down everything that a process does to the files below a directory, in the order in which it is done.

   Preloaded (LD_PRELOAD).  RECORD_ROOT is the directory, absolute and without links; RECORD_LOG is the file of
   records.  A record is a header (packed, little-endian) and two texts: see recorder.py, which reads them.
   A process may add notes of its own with record_note, and have an operation fail with record_fail.

   The mutex holds over operation and record, so that records stand in the order of the operations. */

#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { CREATE = 'c', WRITE = 'w', TRUNCATE = 't', ALLOCATE = 'a', SYNC = 's', SYNC_FAILED = 'f', SYNC_DIR = 'd',
       RENAME = 'r', UNLINK = 'u', MKDIR = 'm', NOTE = 'n' };

#define MAX_FD 1024
#define MAX_PATH 4096

struct __attribute__((packed)) header {
    uint8_t kind;
    uint64_t inode;
    int64_t offset;
    uint32_t n_first, n_second;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char root[MAX_PATH];
static size_t n_root;
static int log_fd = -1;
static uint64_t inode_of[MAX_FD]; /* 0: not one of ours */
static char is_dir[MAX_FD];

static int fail_countdown, fail_errno;
static char fail_kind;

#define REAL(type, name, ...) ((type (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

__attribute__((constructor)) static void begin(void) {
    const char *directory = getenv("RECORD_ROOT"), *file = getenv("RECORD_LOG");
    if (!directory || !file) return;
    snprintf(root, sizeof root, "%s", directory);
    n_root = strlen(root);
    log_fd = syscall(SYS_openat, AT_FDCWD, file, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    unsetenv("LD_PRELOAD"); /* A child of this process would mix its records into ours. */
}

static void put(const void *bytes, size_t n) {
    while (n) {
        ssize_t done = syscall(SYS_write, log_fd, bytes, n);
        if (done <= 0) abort();
        bytes = (const char *)bytes + done;
        n -= done;
    }
}

static void record(char kind, uint64_t inode, int64_t offset, const void *first, size_t n_first, const char *second) {
    struct header head = {kind, inode, offset, n_first, second ? strlen(second) : 0};
    put(&head, sizeof head);
    put(first, n_first);
    if (second) put(second, head.n_second);
}

void record_note(const char *text, size_t n) {
    if (log_fd < 0) return;
    pthread_mutex_lock(&lock);
    record(NOTE, 0, 0, text, n, NULL);
    pthread_mutex_unlock(&lock);
}

/* The countdown-th operation of this kind from now on (WRITE or SYNC) fails with `error`; 0 takes it back. */
void record_fail(char kind, int countdown, int error) {
    fail_kind = kind;
    fail_countdown = countdown;
    fail_errno = error;
}

static int is_to_fail(char kind) {
    if (kind != fail_kind || fail_countdown <= 0 || --fail_countdown) return 0;
    errno = fail_errno;
    return 1;
}

/* The path below the root, or NULL if it is not below it. */
static const char *below(int directory, const char *path, char *buffer) {
    char base[MAX_PATH];
    if (log_fd < 0 || !path) return NULL;
    if (path[0] == '/') {
        snprintf(buffer, MAX_PATH, "%s", path);
    } else {
        char link[64];
        ssize_t n;
        snprintf(link, sizeof link, directory == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", directory);
        if ((n = readlink(link, base, sizeof base - 1)) < 0) return NULL;
        base[n] = 0;
        if ((size_t)snprintf(buffer, MAX_PATH, "%s/%s", base, path) >= MAX_PATH) return NULL;
    }
    if (strncmp(buffer, root, n_root) || (buffer[n_root] && buffer[n_root] != '/')) return NULL;
    return buffer[n_root] ? buffer + n_root + 1 : buffer + n_root;
}

static int is_ours(int fd) {
    struct stat now;
    return log_fd >= 0 && fd >= 0 && fd < MAX_FD && inode_of[fd] && !fstat(fd, &now) && now.st_ino == inode_of[fd];
}

/* --- open and close ------------------------------------------------------------------------ */

static int do_open(int directory, const char *path, int flags, mode_t mode) {
    char buffer[MAX_PATH];
    struct stat before, after;
    const char *name = below(directory, path, buffer);
    if (!name) {
        int fd = syscall(SYS_openat, directory, path, flags, mode);
        if (fd >= 0 && fd < MAX_FD) inode_of[fd] = 0;
        return fd;
    }
    pthread_mutex_lock(&lock);
    int was_there = !fstatat(directory, path, &before, 0);
    int fd = syscall(SYS_openat, directory, path, flags, mode);
    if (fd >= MAX_FD) abort();
    if (fd >= 0 && !fstat(fd, &after)) {
        inode_of[fd] = after.st_ino;
        is_dir[fd] = S_ISDIR(after.st_mode);
        if (!was_there) record(CREATE, after.st_ino, 0, name, strlen(name), NULL);
        else if ((flags & O_TRUNC) && before.st_size) record(TRUNCATE, after.st_ino, 0, NULL, 0, NULL);
    }
    pthread_mutex_unlock(&lock);
    return fd;
}

#define MODE_OF(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | O_TMPFILE)) { va_list rest; va_start(rest, flags); mode = va_arg(rest, mode_t); va_end(rest); }

int open(const char *path, int flags, ...) { MODE_OF(flags) return do_open(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE_OF(flags) return do_open(AT_FDCWD, path, flags, mode); }
int openat(int at, const char *path, int flags, ...) { MODE_OF(flags) return do_open(at, path, flags, mode); }
int openat64(int at, const char *path, int flags, ...) { MODE_OF(flags) return do_open(at, path, flags, mode); }

int close(int fd) {
    if (fd >= 0 && fd < MAX_FD) inode_of[fd] = 0;
    return REAL(int, close, int)(fd);
}

/* --- contents ------------------------------------------------------------------------------ */

static ssize_t do_pwrite(int fd, const void *bytes, size_t n, off_t offset, int has_offset) {
    if (!is_ours(fd)) return has_offset ? syscall(SYS_pwrite64, fd, bytes, n, offset) : syscall(SYS_write, fd, bytes, n);
    pthread_mutex_lock(&lock);
    ssize_t done = -1;
    if (!is_to_fail(WRITE)) {
        if (!has_offset) offset = (fcntl(fd, F_GETFL) & O_APPEND) ? lseek(fd, 0, SEEK_END) : lseek(fd, 0, SEEK_CUR);
        done = has_offset ? syscall(SYS_pwrite64, fd, bytes, n, offset) : syscall(SYS_write, fd, bytes, n);
        if (done > 0) record(WRITE, inode_of[fd], offset, bytes, done, NULL);
    }
    pthread_mutex_unlock(&lock);
    return done;
}

ssize_t write(int fd, const void *bytes, size_t n) { return do_pwrite(fd, bytes, n, 0, 0); }
ssize_t pwrite(int fd, const void *bytes, size_t n, off_t offset) { return do_pwrite(fd, bytes, n, offset, 1); }
ssize_t pwrite64(int fd, const void *bytes, size_t n, off64_t offset) { return do_pwrite(fd, bytes, n, offset, 1); }

static int do_ftruncate(int fd, off_t size) {
    if (!is_ours(fd)) return syscall(SYS_ftruncate, fd, size);
    pthread_mutex_lock(&lock);
    int status = syscall(SYS_ftruncate, fd, size);
    if (!status) record(TRUNCATE, inode_of[fd], size, NULL, 0, NULL);
    pthread_mutex_unlock(&lock);
    return status;
}

int ftruncate(int fd, off_t size) { return do_ftruncate(fd, size); }
int ftruncate64(int fd, off64_t size) { return do_ftruncate(fd, size); }

static int do_allocate(int fd, off_t offset, off_t n) {
    int ours = is_ours(fd);
    pthread_mutex_lock(&lock);
    int status = syscall(SYS_fallocate, fd, 0, offset, n) ? errno : 0;
    if (!status && ours) record(ALLOCATE, inode_of[fd], offset + n, NULL, 0, NULL);
    pthread_mutex_unlock(&lock);
    return status;
}

int posix_fallocate(int fd, off_t offset, off_t n) { return do_allocate(fd, offset, n); }
int posix_fallocate64(int fd, off64_t offset, off64_t n) { return do_allocate(fd, offset, n); }

static int do_sync(int fd, long number) {
    if (!is_ours(fd)) return syscall(number, fd);
    pthread_mutex_lock(&lock);
    int status = !is_dir[fd] && is_to_fail(SYNC) ? -1 : syscall(number, fd);
    int error = errno;
    record(is_dir[fd] ? SYNC_DIR : status ? SYNC_FAILED : SYNC, inode_of[fd], 0, NULL, 0, NULL);
    errno = error;
    pthread_mutex_unlock(&lock);
    return status;
}

int fsync(int fd) { return do_sync(fd, SYS_fsync); }
int fdatasync(int fd) { return do_sync(fd, SYS_fdatasync); }

/* --- names --------------------------------------------------------------------------------- */

static int do_rename(int from_at, const char *from, int to_at, const char *to) {
    char first[MAX_PATH], second[MAX_PATH];
    const char *old = below(from_at, from, first), *new = below(to_at, to, second);
    pthread_mutex_lock(&lock);
    int status = syscall(SYS_renameat2, from_at, from, to_at, to, 0);
    if (!status && old && new) record(RENAME, 0, 0, old, strlen(old), new);
    pthread_mutex_unlock(&lock);
    return status;
}

int rename(const char *from, const char *to) { return do_rename(AT_FDCWD, from, AT_FDCWD, to); }
int renameat(int from_at, const char *from, int to_at, const char *to) { return do_rename(from_at, from, to_at, to); }

static int do_unlink(int at, const char *path, int flags) {
    char buffer[MAX_PATH];
    const char *name = below(at, path, buffer);
    pthread_mutex_lock(&lock);
    int status = syscall(SYS_unlinkat, at, path, flags);
    if (!status && name) record(UNLINK, 0, 0, name, strlen(name), NULL);
    pthread_mutex_unlock(&lock);
    return status;
}

int unlink(const char *path) { return do_unlink(AT_FDCWD, path, 0); }
int unlinkat(int at, const char *path, int flags) { return do_unlink(at, path, flags); }
int rmdir(const char *path) { return do_unlink(AT_FDCWD, path, AT_REMOVEDIR); }

static int do_mkdir(int at, const char *path, mode_t mode) {
    char buffer[MAX_PATH];
    const char *name = below(at, path, buffer);
    pthread_mutex_lock(&lock);
    int status = syscall(SYS_mkdirat, at, path, mode);
    if (!status && name && *name) record(MKDIR, 0, 0, name, strlen(name), NULL);
    pthread_mutex_unlock(&lock);
    return status;
}

int mkdir(const char *path, mode_t mode) { return do_mkdir(AT_FDCWD, path, mode); }
int mkdirat(int at, const char *path, mode_t mode) { return do_mkdir(at, path, mode); }
