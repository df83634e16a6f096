#include "gateway/journal/journal_dir.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"
#include "base/secret.h"
#include "gateway/journal/journal_options.h"

#define JOURNAL_DIR_IDENTITY     "identity"
#define JOURNAL_DIR_IDENTITY_NEW "identity.new"
#define JOURNAL_DIR_FORMAT       "tidegate-journal %u\nepoch %16" SCNx64 "\nsalt %16" SCNx64 "\n"
#define JOURNAL_DIR_VERSION      1
#define JOURNAL_DIR_BOOT_SIZE    40 /* a UUID */

static int journal_dir_unusable(const char *path, const char *what) {
        log_error("journal_unusable dir=%s failed=%s errno=%d", path, what, errno);
        return JOURNAL_E_INVALID;
}

static int journal_dir_lock(JournalDir *dir, const char *path) {
        if (mkdir(path, 0700) < 0 && errno != EEXIST)
                return journal_dir_unusable(path, "mkdir");
        dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir->fd < 0)
                return journal_dir_unusable(path, "open");
        dir->lock_fd = openat(dir->fd, "lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (dir->lock_fd < 0)
                return journal_dir_unusable(path, "lock");
        /* The folder, too: somebody may remove the file beneath who holds it. */
        if (flock(dir->lock_fd, LOCK_EX | LOCK_NB) == 0 && flock(dir->fd, LOCK_EX | LOCK_NB) == 0)
                return 0;
        return errno == EWOULDBLOCK ? JOURNAL_E_LOCKED : journal_dir_unusable(path, "flock");
}

static bool journal_dir_is_segment(const char *name) {
        return strlen(name) == 20 && strspn(name, "0123456789abcdef") == 16 &&
               strcmp(name + 16, ".seg") == 0;
}

static int journal_dir_compare(const void *a, const void *b) {
        return strcmp(a, b);
}

static int journal_dir_add(JournalDir *dir, const char *name) {
        char(*names)[SEGMENT_NAME_SIZE];

        names = reallocarray(dir->names, dir->n_names + 1, sizeof(*names));
        if (!names)
                return err_new(-ENOMEM);
        dir->names = names;
        memcpy(names[dir->n_names++], name, strlen(name) + 1); /* journal_dir_is_segment() */
        return 0;
}

static int journal_dir_list(JournalDir *dir, const char *path) {
        struct dirent *entry;
        DIR *stream;
        int r = 0;

        stream = opendir(path);
        if (!stream)
                return journal_dir_unusable(path, "opendir");
        do {
                errno = 0;
                /* NOLINTNEXTLINE(concurrency-mt-unsafe): the stream is ours alone. */
                entry = readdir(stream);
                if (entry && journal_dir_is_segment(entry->d_name))
                        r = journal_dir_add(dir, entry->d_name);
        } while (r == 0 && entry);
        if (r == 0 && errno != 0) /* half a list would be half a journal */
                r = journal_dir_unusable(path, "readdir");
        closedir(stream);
        if (dir->n_names > 1)
                qsort(dir->names, dir->n_names, sizeof(*dir->names), journal_dir_compare);
        return r;
}

/* Written beside and moved over: there is always a whole one. */
static int journal_dir_write_identity(const JournalDir *dir, const char *path) {
        char text[128];
        ssize_t written;
        int fd, n;

        n = snprintf(text,
                     sizeof(text),
                     "tidegate-journal %u\nepoch %016" PRIx64 "\nsalt %016" PRIx64 "\n",
                     (unsigned)JOURNAL_DIR_VERSION,
                     dir->identity.epoch,
                     dir->identity.salt);
        fd = openat(dir->fd,
                    JOURNAL_DIR_IDENTITY_NEW,
                    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW,
                    0600);
        if (fd < 0)
                return journal_dir_unusable(path, "create");
        written = write(fd, text, (size_t)n);
        if (written != n || fsync(fd) < 0) {
                close(fd);
                return journal_dir_unusable(path, "write");
        }
        close(fd);
        if (renameat(dir->fd, JOURNAL_DIR_IDENTITY_NEW, dir->fd, JOURNAL_DIR_IDENTITY) < 0)
                return journal_dir_unusable(path, "rename");
        if (fsync(dir->fd) < 0)
                return journal_dir_unusable(path, "fsync");
        return 0;
}

/* 0, JOURNAL_E_INVALID for a version that we do not know, or -ENOENT: lost or damaged. */
static int journal_dir_read_identity(JournalDir *dir, const char *path) {
        unsigned version = 0;
        SegmentIdentity identity;
        char text[128];
        ssize_t n;
        int fd, n_fields, r = 0;

        fd = openat(dir->fd, JOURNAL_DIR_IDENTITY, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        if (fd < 0)
                return errno == ENOENT ? -ENOENT : journal_dir_unusable(path, "open identity");
        n = read(fd, text, sizeof(text) - 1);
        if (n < 0) /* it may well be there: nothing is made anew for that */
                r = journal_dir_unusable(path, "read identity");
        close(fd);
        if (n < 0)
                return r;
        text[n] = '\0';

        /* NOLINTNEXTLINE(cert-err34-c): widths are bounded. */
        n_fields = sscanf(text, JOURNAL_DIR_FORMAT, &version, &identity.epoch, &identity.salt);
        if (n_fields >= 1 && version != JOURNAL_DIR_VERSION) {
                log_error("journal_unknown_version dir=%s version=%u", path, version);
                return JOURNAL_E_INVALID;
        }
        if (n_fields != 3)
                return -ENOENT;
        dir->identity = identity;
        return 0;
}

/* Out of the segments, if there are any; else a new one. */
static int journal_dir_make_identity(JournalDir *dir, const char *path) {
        int r;

        for (size_t i = 0; i < dir->n_names; ++i) {
                SegmentHeader header;

                if (!segment_header_read(dir->fd, dir->names[i], &header))
                        continue;
                dir->identity = (SegmentIdentity){ .epoch = header.epoch, .salt = header.salt };
                log_warning("journal_identity_restored dir=%s file=%s", path, dir->names[i]);
                return journal_dir_write_identity(dir, path);
        }
        if (dir->n_names > 0) {
                log_error("journal_identity_lost dir=%s segments=%zu", path, dir->n_names);
                return JOURNAL_E_INVALID;
        }

        r = secret_random(&dir->identity, sizeof(dir->identity));
        return r == 0 ? journal_dir_write_identity(dir, path) : err_up(r);
}

int journal_dir_open(JournalDir *dir, const char *path) {
        int r;

        r = journal_dir_lock(dir, path);
        if (r == 0)
                r = journal_dir_list(dir, path);
        if (r == 0)
                r = journal_dir_read_identity(dir, path);
        return r == -ENOENT ? journal_dir_make_identity(dir, path) : r;
}

int journal_dir_look(JournalDir *dir, const char *path) {
        int r;

        dir->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (dir->fd < 0)
                return journal_dir_unusable(path, "open");
        r = journal_dir_list(dir, path);
        if (r == 0)
                r = journal_dir_read_identity(dir, path);
        if (r != -ENOENT)
                return r;
        log_error("journal_unusable dir=%s failed=%s", path, "identity");
        return JOURNAL_E_INVALID;
}

bool journal_dir_place(const char *path, char *ret_place, size_t n) {
        FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
        char boot[JOURNAL_DIR_BOOT_SIZE] = "";
        struct stat st;

        if (file) {
                boot[fread(boot, 1, sizeof(boot) - 1, file)] = '\0';
                boot[strcspn(boot, "\n")] = '\0';
                (void)fclose(file);
        }
        if (!*boot || stat(path, &st) < 0)
                return false;
        snprintf(ret_place,
                 n,
                 "%s/%llx/%llx",
                 boot,
                 (unsigned long long)st.st_dev,
                 (unsigned long long)st.st_ino);
        return true;
}

void journal_dir_close(JournalDir *dir) {
        free(dir->names);
        dir->names = NULL;
        dir->n_names = 0;
        if (dir->fd >= 0)
                close(dir->fd);
        if (dir->lock_fd >= 0)
                close(dir->lock_fd);
        dir->fd = dir->lock_fd = -1;
}
