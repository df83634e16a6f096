#include "gateway/decode/route_note.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/err.h"
#include "base/log.h"

#define ROUTE_NOTE_HEAD    "tidegate routes 1"
#define ROUTE_NOTE_UNTIL   "until "
#define ROUTE_NOTE_MEMBERS 11
#define ROUTE_NOTE_LEAST   10 /* of a version that did not know the last one */
#define ROUTE_NOTE_TABLES  16

/* ---- writing ---- */

static bool route_note_is_plain(const char *text) {
        return text && *text && !strpbrk(text, "\t\n");
}

static void route_note_put(FILE *file, const Routes *routes) {
        for (size_t i = 0; i < routes_length(routes); ++i) {
                const Route *route = routes_get(routes, i);
                const char *topic = topic_template_text(route->topic);

                if (!route_note_is_plain(route->name) || !route_note_is_plain(topic))
                        continue;
                fprintf(file,
                        "%s\t%s\t%s\t%d\t%s\t%" PRId64 "\t%" PRId64 "\t%zu\t%.17g\t%.17g\t%s\n",
                        route->name,
                        topic,
                        kind_name(route->kind),
                        route->auto_register,
                        route->zone ? zone_name(route->zone) : "-",
                        route->max_ahead_us,
                        route->max_age_us,
                        route->max_bytes,
                        route->near_dbm,
                        route->medium_dbm,
                        route->person ? route->person : "-");
        }
}

static bool route_note_write(int fd, const Former *former, const Routes *routes) {
        FILE *file = fdopen(fd, "w");
        bool failed;

        if (!file) {
                (void)close(fd);
                return false;
        }
        fprintf(file, ROUTE_NOTE_HEAD "\n");
        for (size_t i = former_length(former) > ROUTE_NOTE_TABLES
                                ? former_length(former) - ROUTE_NOTE_TABLES
                                : 0;
             i < former_length(former);
             ++i) {
                uint64_t until_seq;
                const Routes *table = former_table(former, i, &until_seq);

                fprintf(file, ROUTE_NOTE_UNTIL "%" PRIu64 "\n", until_seq);
                route_note_put(file, table);
        }
        fprintf(file, "in force\n");
        route_note_put(file, routes);
        failed = fflush(file) != 0 || fsync(fileno(file)) != 0;
        failed = fclose(file) != 0 || failed;
        return !failed;
}

void route_note_save(const char *path, const Former *former, const Routes *routes) {
        char next[PATH_MAX];
        int fd;

        if (snprintf(next, sizeof(next), "%s.new", path) >= (int)sizeof(next))
                return;
        fd = open(next, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        if (fd < 0 || !route_note_write(fd, former, routes) || rename(next, path) < 0)
                log_warning("routes_not_noted file=\"%s\" errno=%d", path, errno);
}

/* ---- reading ---- */

/* The members of a line, which is cut into them; false: too few, or too many. */
static bool route_note_cut(char *line, char *ret_members[ROUTE_NOTE_MEMBERS]) {
        size_t n = 0;

        for (char *at = line; at; ++n) {
                if (n == ROUTE_NOTE_MEMBERS)
                        return false;
                ret_members[n] = strsep(&at, "\t");
        }
        return n >= ROUTE_NOTE_LEAST;
}

static void route_note_done(Route *route) {
        free(route->name);
        topic_template_free(route->topic);
        zone_free(route->zone);
        free(route->person);
}

/* What cannot be read is left out: it is of another version of ours. */
static int route_note_take(Routes *routes, char *line) {
        __attribute__((cleanup(route_note_done))) Route route = { 0 };
        char *m[ROUTE_NOTE_MEMBERS] = { NULL };
        int r;

        if (!route_note_cut(line, m))
                return 0;
        route = (Route){
                .name = strdup(m[0]),
                .kind = kind_from_name(text_of(m[2])),
                .auto_register = strcmp(m[3], "1") == 0,
                .max_ahead_us = strtoll(m[5], NULL, 10),
                .max_age_us = strtoll(m[6], NULL, 10),
                .max_bytes = (size_t)strtoull(m[7], NULL, 10),
                .near_dbm = strtod(m[8], NULL),
                .medium_dbm = strtod(m[9], NULL),
        };
        if (m[10] && strcmp(m[10], "-") != 0)
                route.person = strdup(m[10]);
        if (!route.name || (m[10] && strcmp(m[10], "-") != 0 && !route.person))
                return err_new(-ENOMEM);
        r = topic_template_new(&route.topic, m[1]);
        if (r == 0 && strcmp(m[4], "-") != 0)
                r = zone_new(&route.zone, m[4]);
        if (r == 0 && route.kind != KIND_NONE)
                r = routes_add(routes, &route);
        else if (r >= 0)
                return 0;
        if (r < 0)
                return err_up(r);
        route = (Route){ 0 }; /* taken over */
        return 0;
}

static bool route_note_is_same(const Routes *a, const Routes *b) {
        char *texts[2] = { NULL };
        size_t n[2];
        bool is_same = true;

        for (size_t i = 0; i < 2; ++i) {
                FILE *file = open_memstream(&texts[i], &n[i]);

                if (!file)
                        continue;
                route_note_put(file, i == 0 ? a : b);
                (void)fclose(file);
        }
        is_same = texts[0] && texts[1] && strcmp(texts[0], texts[1]) == 0;
        free(texts[0]);
        free(texts[1]);
        return is_same;
}

typedef struct RouteNoteReader RouteNoteReader;

struct RouteNoteReader {
        Former *former; /* borrowed */
        uint64_t first_seq;
        int64_t until_us;
        Routes *table; /* owned; NULL: none has begun */
        uint64_t until_seq;
};

/* The table that was being read is whole. */
static int route_note_end_table(RouteNoteReader *reader) {
        Routes *table = TAKE(&reader->table);
        int r = 0;

        if (table && reader->first_seq > 0 && reader->until_seq >= reader->first_seq)
                r = former_add(reader->former, table, reader->until_seq, reader->until_us);
        routes_unref(table);
        return err_up(r);
}

static int route_note_read_line(RouteNoteReader *reader, char *line) {
        bool is_last = strcmp(line, "in force") == 0;
        char *end = line;
        int r;

        if (!is_last && strncmp(line, ROUTE_NOTE_UNTIL, strlen(ROUTE_NOTE_UNTIL)) == 0)
                reader->until_seq = strtoull(line + strlen(ROUTE_NOTE_UNTIL), &end, 10);
        if (!is_last && end <= line + strlen(ROUTE_NOTE_UNTIL))
                return reader->table ? route_note_take(reader->table, line) : 0;
        r = route_note_end_table(reader);
        if (r == 0)
                r = routes_new(&reader->table);
        if (is_last)
                reader->until_seq = UINT64_MAX;
        return err_up(r);
}

static int route_note_read(FILE *file, RouteNoteReader *reader) {
        char *line = NULL;
        size_t n_line = 0;
        bool is_first = true;
        int r = 0;

        while (r == 0 && getline(&line, &n_line, file) > 0) {
                line[strcspn(line, "\n")] = '\0';
                if (is_first && strcmp(line, ROUTE_NOTE_HEAD) != 0)
                        break;
                if (!is_first)
                        r = route_note_read_line(reader, line);
                is_first = false;
        }
        free(line);
        return err_up(r);
}

int route_note_load(const char *path,
                    Former *former,
                    Routes *routes,
                    uint64_t first_seq,
                    uint64_t last_seq,
                    int64_t until_us) {
        RouteNoteReader reader = { .former = former, .first_seq = first_seq, .until_us = until_us };
        FILE *file = fopen(path, "re");
        CLEANUP(routes_unref) Routes *last = NULL;
        int r = 0;

        if (file) {
                r = route_note_read(file, &reader);
                (void)fclose(file);
        }
        last = TAKE(&reader.table);
        if (r == 0 && last && reader.until_seq == UINT64_MAX && !route_note_is_same(last, routes))
                r = former_add(former, last, last_seq, until_us);
        return err_up(r);
}
