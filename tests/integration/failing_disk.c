/*
 * A disk that fails, for LD_PRELOAD: while the file $FAILING_DISK is there, calls that it names
 * (one a line: "sync", "readdir", "read identity") fail with EIO if they are about a journal's
 * files.
 * "room": no new one can be made, as on a full disk that still says to have room.
 */

#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool fails(const char *what, int fd, const char *part) {
        char link[64], path[4096], line[64];
        const char *name = getenv("FAILING_DISK");
        int error = errno;
        FILE *file = name ? fopen(name, "re") : NULL;
        bool is_named = false;
        ssize_t n;

        if (!file) {
                errno = error;
                return false;
        }
        while (fgets(line, sizeof(line), file))
                is_named |= strncmp(line, what, strlen(what)) == 0;
        fclose(file);
        snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
        n = is_named ? readlink(link, path, sizeof(path) - 1) : -1;
        path[n > 0 ? n : 0] = '\0';
        errno = error;
        return strstr(path, part) != NULL;
}

int fdatasync(int fd) {
        int (*real)(int) = dlsym(RTLD_NEXT, "fdatasync");

        if (fails("sync", fd, ".seg")) {
                errno = EIO;
                return -1;
        }
        return real(fd);
}

int posix_fallocate64(int fd, off64_t offset, off64_t n) {
        int (*real)(int, off64_t, off64_t) = dlsym(RTLD_NEXT, "posix_fallocate64");

        return fails("room", fd, ".seg") ? ENOSPC : real(fd, offset, n);
}

struct dirent64 *readdir64(DIR *stream) {
        struct dirent64 *(*real)(DIR *) = dlsym(RTLD_NEXT, "readdir64");

        if (fails("readdir", dirfd(stream), "/journal")) {
                errno = EIO;
                return NULL;
        }
        return real(stream);
}

ssize_t read(int fd, void *bytes, size_t n) {
        ssize_t (*real)(int, void *, size_t) = dlsym(RTLD_NEXT, "read");

        if (n == 127 && fails("read identity", fd, "/journal/identity")) {
                errno = EIO;
                return -1;
        }
        return real(fd, bytes, n);
}
