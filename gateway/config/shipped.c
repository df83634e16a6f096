#include "gateway/config/shipped.h"

#include <dirent.h>

#include "base/err.h"
#include "base/vec.h"

#define SHIPPED_SUFFIX ".conf"
#define SHIPPED_MAX    ((size_t)1024 * 1024) /* bytes of one */

typedef struct Shipped Shipped;

struct Shipped {
        const char *file, *text;
        size_t n;
};

static const Shipped shipped[] = {
#include "gateway/profiles.inc"
};

/* The name of a profile whose file is called so; 0: it is none. */
static size_t shipped_name_length(const char *file) {
        size_t n = strlen(file), n_suffix = strlen(SHIPPED_SUFFIX);

        if (n <= n_suffix || *file == '.' || strcmp(file + n - n_suffix, SHIPPED_SUFFIX) != 0)
                return 0;
        return n - n_suffix;
}

static bool shipped_is_name(const char *name) {
        return *name != '\0' && *name != '.' && !strchr(name, '/');
}

static int shipped_read_stream(FILE *stream, Buf *ret_text) {
        char piece[4096];
        size_t n;

        while ((n = fread(piece, 1, sizeof(piece), stream)) > 0) {
                buf_append(ret_text, piece, n);
                if (ret_text->n > SHIPPED_MAX)
                        return err_new(-EFBIG);
        }
        if (ferror(stream))
                return err_new(-EIO);
        return buf_failed(ret_text) ? err_new(-ENOMEM) : 0;
}

static int shipped_read_file(const char *path, Buf *ret_text) {
        FILE *stream = fopen(path, "re");
        int r;

        if (!stream)
                return errno == ENOENT ? SHIPPED_E_NONE : err_new(-errno);
        r = shipped_read_stream(stream, ret_text);
        (void)fclose(stream);
        return r;
}

static int shipped_read_built_in(const char *name, Buf *ret_text, Buf *ret_where) {
        for (size_t i = 0; i < N_ELEMENTS(shipped); ++i) {
                size_t n = shipped_name_length(shipped[i].file);

                if (strlen(name) != n || strncmp(shipped[i].file, name, n) != 0)
                        continue;
                buf_append(ret_text, shipped[i].text, shipped[i].n);
                buf_printf(ret_where, "profile %s", name);
                return buf_failed(ret_text) || buf_failed(ret_where) ? err_new(-ENOMEM) : 0;
        }
        return SHIPPED_E_NONE;
}

int shipped_read(const char *folder, const char *name, Buf *ret_text, Buf *ret_where) {
        int r = SHIPPED_E_NONE;

        if (!shipped_is_name(name))
                return SHIPPED_E_NONE;
        if (folder) {
                buf_printf(ret_where, "%s/%s" SHIPPED_SUFFIX, folder, name);
                if (buf_failed(ret_where))
                        return err_new(-ENOMEM);
                r = shipped_read_file(buf_text(ret_where).data, ret_text);
        }
        if (r != SHIPPED_E_NONE)
                return r == 0 ? 0 : err_up(r);
        buf_reset(ret_where);
        return shipped_read_built_in(name, ret_text, ret_where);
}

/* ---- names ---- */

static int shipped_add(char ***names, size_t *n, size_t *capacity, const char *file) {
        size_t n_name = shipped_name_length(file);
        char *name;

        if (n_name == 0)
                return 0;
        name = strndup(file, n_name);
        if (!name || !VEC_HAS_ROOM(*names, *n, *capacity, 32)) {
                free(name);
                return err_new(-ENOMEM);
        }
        (*names)[(*n)++] = name;
        return 0;
}

static int shipped_compare(const void *a, const void *b) {
        return strcmp(*(char *const *)a, *(char *const *)b);
}

static void shipped_sort(char **names, size_t *n) {
        size_t n_unique = 0;

        if (*n > 0)
                qsort(names, *n, sizeof(*names), shipped_compare);
        for (size_t i = 0; i < *n; ++i)
                if (n_unique > 0 && strcmp(names[n_unique - 1], names[i]) == 0)
                        free(names[i]);
                else
                        names[n_unique++] = names[i];
        *n = n_unique;
}

static int shipped_add_folder(const char *folder, char ***names, size_t *n, size_t *capacity) {
        DIR *dir = folder ? opendir(folder) : NULL;
        struct dirent *entry;
        int r = 0;

        if (!dir)
                return !folder || errno == ENOENT ? 0 : err_new(-errno);
        /* NOLINTNEXTLINE(concurrency-mt-unsafe): a stream of our own */
        while (r == 0 && (entry = readdir(dir)) != NULL)
                r = shipped_add(names, n, capacity, entry->d_name);
        (void)closedir(dir);
        return r;
}

int shipped_names(const char *folder, char ***ret_names, size_t *ret_n) {
        char **names = NULL;
        size_t n = 0, capacity = 0;
        int r = shipped_add_folder(folder, &names, &n, &capacity);

        for (size_t i = 0; r == 0 && i < N_ELEMENTS(shipped); ++i)
                r = shipped_add(&names, &n, &capacity, shipped[i].file);
        if (r != 0) {
                shipped_names_free(names, n);
                return err_up(r);
        }
        shipped_sort(names, &n);
        *ret_names = names;
        *ret_n = n;
        return 0;
}

void shipped_names_free(char **names, size_t n) {
        for (size_t i = 0; i < n; ++i)
                free(names[i]);
        free(names);
}
