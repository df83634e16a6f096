#include "gateway/session_name.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/log.h"

static void session_name_paths(const char *dir,
                               char ret_inside[PATH_MAX],
                               char ret_beside[PATH_MAX]) {
        size_t n = strlen(dir);

        while (n > 1 && dir[n - 1] == '/')
                --n;
        snprintf(ret_inside, PATH_MAX, "%.*s/client-id", (int)n, dir);
        snprintf(ret_beside, PATH_MAX, "%.*s.client-id", (int)n, dir);
}

/* One line of printable ASCII. */
static bool session_name_read(const char *path, char ret_name[static SESSION_NAME_SIZE]) {
        char text[SESSION_NAME_SIZE] = "";
        FILE *file = fopen(path, "re");
        size_t n;

        if (!file)
                return false;
        n = fread(text, 1, sizeof(text) - 1, file);
        (void)fclose(file);
        while (n > 0 && text[n - 1] == '\n')
                text[--n] = '\0';
        for (size_t i = 0; i < n; ++i)
                if (text[i] <= ' ' || text[i] > '~')
                        return false;
        if (n == 0)
                return false;
        memcpy(ret_name, text, n + 1);
        return true;
}

static bool session_name_put(int fd, const char *name) {
        bool is_put = dprintf(fd, "%s\n", name) > 0 && fsync(fd) == 0;

        return close(fd) == 0 && is_put;
}

static void session_name_write(const char *path, const char *name) {
        char next[PATH_MAX];
        int fd;

        if (snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next))
                return;
        fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || !session_name_put(fd, name) || rename(next, path) < 0)
                log_warning("client_id_not_noted file=\"%s\" client_id=%s errno=%d hint=\"set "
                            "mqtt.client_id, so that it outlives the journal\"",
                            path,
                            name,
                            errno);
}

void session_name(const char *journal_dir,
                  const char *epoch,
                  char ret_name[static SESSION_NAME_SIZE]) {
        char inside[PATH_MAX], beside[PATH_MAX], other[SESSION_NAME_SIZE];
        bool is_inside, is_beside;

        session_name_paths(journal_dir, inside, beside);
        is_inside = session_name_read(inside, ret_name);
        is_beside = session_name_read(beside, is_inside ? other : ret_name);
        if (!is_inside && !is_beside)
                snprintf(ret_name, SESSION_NAME_SIZE, "tidegate-%s", epoch);
        if (!is_inside)
                session_name_write(inside, ret_name);
        if (!is_beside || (is_inside && strcmp(other, ret_name) != 0))
                session_name_write(beside, ret_name);
}

void session_name_change(const char *journal_dir, const char *name) {
        char inside[PATH_MAX], beside[PATH_MAX];

        session_name_paths(journal_dir, inside, beside);
        session_name_write(inside, name);
        session_name_write(beside, name);
}
