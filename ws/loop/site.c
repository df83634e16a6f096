#include "ws/loop/site.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/err.h"
#include "base/text.h"
#include "base/vec.h"
#include "ws/wire/gzip.h"
#include "ws/wire/media.h"

#define WS_SITE_INDEX  "/index.html"
#define WS_SITE_FINAL  "/assets/"
#define WS_SITE_PACKED ".gz"
#define WS_SITE_BASE   "<base href=\"./\">"
#define WS_SITE_PIECE  65536

struct WsSite {
        WsSiteFile *files; /* by path */
        size_t n_files, capacity;
        char **folders; /* found, and those from @n_seen on not looked into yet */
        size_t n_folders, n_seen, folder_capacity;
        size_t n_bytes;
        Buf policy;
};

static void ws_site_file_done(WsSiteFile *file) {
        free(file->path);
        buf_done(&file->plain);
        buf_done(&file->packed);
}

WsSite *ws_site_free(WsSite *site) {
        if (!site)
                return NULL;

        for (size_t i = 0; i < site->n_files; ++i)
                ws_site_file_done(&site->files[i]);
        free(site->files);
        for (size_t i = 0; i < site->n_folders; ++i)
                free(site->folders[i]);
        free(site->folders);
        buf_done(&site->policy);
        free(site);
        return NULL;
}

const char *ws_site_why(int r) {
        switch (r) {
        case WS_SITE_E_NONE:
                return "there is no index.html";
        case WS_SITE_E_TOO_MANY:
                return "more than http.dashboard_files";
        case WS_SITE_E_TOO_LARGE:
                return "more than http.dashboard_bytes";
        default:
                return "it cannot be read";
        }
}

/* ---- reading ---- */

static int ws_site_room(const WsSite *site, const WsSiteOptions *options) {
        return site->n_files + site->n_folders > (size_t)options->max_files ? WS_SITE_E_TOO_MANY
                                                                            : 0;
}

static int ws_site_add_folder(WsSite *site, const char *path) {
        char *copy;

        if (!VEC_HAS_ROOM(site->folders, site->n_folders, site->folder_capacity, 16))
                return err_new(-ENOMEM);
        copy = strdup(path);
        if (!copy)
                return err_new(-ENOMEM);
        site->folders[site->n_folders++] = copy;
        return 0;
}

/* Also of a file that grows meanwhile no more than @n_most. */
static int ws_site_read_bytes(int fd, size_t n_most, Buf *ret_bytes) {
        char piece[WS_SITE_PIECE];
        ssize_t n = 1;

        while (n > 0) {
                n = read(fd, piece, sizeof(piece));
                if (n < 0 && errno != EINTR)
                        return WS_SITE_E_UNREADABLE;
                if (n < 0)
                        n = 1;
                else
                        buf_append(ret_bytes, piece, (size_t)n);
                if (ret_bytes->n > n_most)
                        return WS_SITE_E_TOO_LARGE;
        }
        return buf_failed(ret_bytes) ? err_new(-ENOMEM) : 0;
}

static int ws_site_add_file(WsSite *site,
                            const WsSiteOptions *options,
                            int folder,
                            const char *path) {
        WsSiteFile *file;
        int fd, r;

        if (!VEC_HAS_ROOM(site->files, site->n_files, site->capacity, 64))
                return err_new(-ENOMEM);
        fd = openat(folder, strrchr(path, '/') + 1, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
        if (fd < 0)
                return WS_SITE_E_UNREADABLE;
        file = &site->files[site->n_files++];
        *file = (WsSiteFile){ .path = strdup(path) };
        r = file->path ? ws_site_read_bytes(fd, options->max_bytes - site->n_bytes, &file->plain)
                       : err_new(-ENOMEM);
        (void)close(fd);
        site->n_bytes += file->plain.n;
        return r;
}

/* What is no file and no folder is passed over, as is what no request could name. */
static int ws_site_take(WsSite *site,
                        const WsSiteOptions *options,
                        int folder,
                        const char *below,
                        const char *name) {
        char path[WS_SITE_PATH_MAX + 1];
        struct stat status;
        int r;

        if (*name == '.' || snprintf(path, sizeof(path), "%s/%s", below, name) >= (int)sizeof(path))
                return 0;
        if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) != 0)
                return WS_SITE_E_UNREADABLE;
        if (S_ISDIR(status.st_mode))
                r = ws_site_add_folder(site, path);
        else if (S_ISREG(status.st_mode))
                r = ws_site_add_file(site, options, folder, path);
        else
                return 0;
        return r == 0 ? ws_site_room(site, options) : r;
}

static int ws_site_read_folder(WsSite *site,
                               const WsSiteOptions *options,
                               int root,
                               const char *below) {
        int fd = openat(root,
                        *below ? below + 1 : ".",
                        O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        DIR *dir = fd >= 0 ? fdopendir(fd) : NULL;
        const struct dirent *entry;
        int r = 0;

        if (!dir) {
                if (fd >= 0)
                        (void)close(fd);
                return WS_SITE_E_UNREADABLE;
        }
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
        while (r == 0 && (entry = readdir(dir)) != NULL)
                r = ws_site_take(site, options, dirfd(dir), below, entry->d_name);
        (void)closedir(dir);
        return r;
}

static int ws_site_read_all(WsSite *site, const WsSiteOptions *options) {
        int root = open(options->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        int r;

        if (root < 0)
                return errno == ENOENT || errno == ENOTDIR ? WS_SITE_E_NONE : WS_SITE_E_UNREADABLE;
        r = ws_site_add_folder(site, "");
        while (r == 0 && site->n_seen < site->n_folders)
                r = ws_site_read_folder(site, options, root, site->folders[site->n_seen++]);
        (void)close(root);
        return r;
}

/* ---- in order ---- */

static int ws_site_compare(const void *a, const void *b) {
        return strcmp(((const WsSiteFile *)a)->path, ((const WsSiteFile *)b)->path);
}

static WsSiteFile *ws_site_at(const WsSite *site, const char *path) {
        size_t low = 0, high = site->n_files;

        while (low < high) {
                size_t middle = low + (high - low) / 2;
                int order = strcmp(site->files[middle].path, path);

                if (order == 0)
                        return &site->files[middle];
                if (order < 0)
                        low = middle + 1;
                else
                        high = middle;
        }
        return NULL;
}

/* What the build has packed is taken where it is of these very bytes. */
static int ws_site_pack(const WsSite *site, WsSiteFile *file) {
        char path[WS_SITE_PATH_MAX + sizeof(WS_SITE_PACKED)];
        const WsSiteFile *packed;

        file->tag = text_hash(TEXT_HASH, file->plain.data, file->plain.n);
        file->is_final = strncmp(file->path, WS_SITE_FINAL, strlen(WS_SITE_FINAL)) == 0;
        if (!ws_media_of(file->path)->packs)
                return 0;
        snprintf(path, sizeof(path), "%s%s", file->path, WS_SITE_PACKED);
        packed = ws_site_at(site, path);
        if (packed && ws_gzip_is_of(buf_text(&packed->plain), buf_text(&file->plain)))
                buf_append_text(&file->packed, buf_text(&packed->plain));
        else
                ws_gzip(buf_text(&file->plain), &file->packed);
        if (buf_failed(&file->packed))
                return err_new(-ENOMEM);
        if (file->packed.n >= file->plain.n / 10 * 9)
                buf_done(&file->packed);
        return 0;
}

/* `img.example` may show pictures, and be asked for tiles: CSP has spaces between its sources. */
static void ws_site_put_hosts(Buf *policy, const char *hosts) {
        Text rest = text_of(hosts), item;

        while (hosts && text_next_item(&rest, ", \t", &item)) {
                buf_append_char(policy, ' ');
                buf_append_text(policy, item);
        }
}

static int ws_site_make_policy(WsSite *site, const char *hosts) {
        Buf *policy = &site->policy;

        buf_append_string(policy, "default-src 'self'; connect-src 'self' ws: wss:");
        ws_site_put_hosts(policy, hosts);
        buf_append_string(policy, "; img-src 'self' data: blob:");
        ws_site_put_hosts(policy, hosts);
        buf_append_string(policy,
                          "; worker-src 'self'; object-src 'none'; base-uri 'self'; "
                          "form-action 'self'; frame-ancestors 'none'");
        return buf_failed(policy) ? err_new(-ENOMEM) : 0;
}

int ws_site_read(WsSite **ret_site, const WsSiteOptions *options) {
        CLEANUP(ws_site_free) WsSite *site = calloc(1, sizeof(*site));
        int r;

        if (!site)
                return err_new(-ENOMEM);
        r = ws_site_read_all(site, options);
        if (r != 0)
                return r < 0 ? err_up(r) : r;
        if (site->n_files > 0)
                qsort(site->files, site->n_files, sizeof(*site->files), ws_site_compare);
        if (!ws_site_at(site, WS_SITE_INDEX))
                return WS_SITE_E_NONE;
        for (size_t i = 0; r == 0 && i < site->n_files; ++i)
                r = ws_site_pack(site, &site->files[i]);
        if (r == 0)
                r = ws_site_make_policy(site, options->hosts);
        if (r < 0)
                return err_up(r);
        *ret_site = TAKE(&site);
        return 0;
}

/* ---- what is there ---- */

const WsSiteFile *ws_site_find(const WsSite *site, const char *path) {
        return ws_site_at(site, path);
}

void ws_site_page(const WsSite *site, size_t depth, Buf *ret_page) {
        const WsSiteFile *index = ws_site_at(site, WS_SITE_INDEX);
        const char *base;
        size_t n_before;
        Text page;

        assert(index); /* no site is without */
        page = buf_text(&index->plain);
        base = memmem(page.data, page.n, WS_SITE_BASE, strlen(WS_SITE_BASE));
        n_before = base ? (size_t)(base - page.data) : 0;
        if (!base || depth == 0) {
                buf_append_text(ret_page, page);
                return;
        }
        buf_append(ret_page, page.data, n_before);
        buf_append_string(ret_page, "<base href=\"");
        for (size_t i = 0; i < depth; ++i)
                buf_append_string(ret_page, "../");
        buf_append_string(ret_page, "\">");
        n_before += strlen(WS_SITE_BASE);
        buf_append(ret_page, page.data + n_before, page.n - n_before);
}

const char *ws_site_policy(const WsSite *site) {
        return buf_text(&site->policy).data;
}

size_t ws_site_n_files(const WsSite *site) {
        return site->n_files;
}

size_t ws_site_n_bytes(const WsSite *site) {
        return site->n_bytes;
}
