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
#define ROUTE_NOTE_MEMBERS 18
#define ROUTE_NOTE_LEAST   10 /* of a version that did not know the last ones */

/* ---- writing ---- */

static bool route_note_is_plain(const char *text) {
        return text && *text && !strpbrk(text, "\t\n");
}

/* A filter has no comma: a configuration has them with commas between. */
static void route_note_put_ignore(FILE *file, const Route *route) {
        for (size_t i = 0; i < route->n_ignore; ++i)
                fprintf(file, "%s%s", i > 0 ? "," : "", route->ignore[i]);
        fprintf(file, "%s\t", route->n_ignore > 0 ? "" : "-");
}

static void route_note_put_map(FILE *file, const Map *map) {
        for (size_t i = 0; i < map_length(map); ++i) {
                const Text *line = map_get(map, i)->line;

                fprintf(file,
                        "\t%.*s\t%.*s\n",
                        (int)line[0].n,
                        line[0].data,
                        (int)line[1].n,
                        line[1].data);
        }
}

/* Without a target: whose the message is, and how. */
static void route_note_put_joints(FILE *file, const Route *route) {
        static const char *const modes[] = { "latest", "all", "any" };

        for (size_t i = 0; i < route->n_joints; ++i) {
                const RouteJoint *joint = &route->joints[i];

                fprintf(file, "\t\t%s\t%s", modes[joint->mode], joint->device);
                for (size_t k = 0; k < joint->n_topics; ++k)
                        fprintf(file, "\t%s", joint->topics[k]);
                fputc('\n', file);
        }
}

static void route_note_put(FILE *file, const Routes *routes) {
        for (size_t i = 0; i < routes_length(routes); ++i) {
                const Route *route = routes_get(routes, i);
                const char *topic = topic_template_text(route->topic);
                char format[FORMAT_NAME_SIZE];

                if (!route_note_is_plain(route->name) || !route_note_is_plain(topic))
                        continue;
                fprintf(file,
                        "%s\t%s\t%s\t%d\t%s\t%" PRId64 "\t%" PRId64
                        "\t%zu\t%.17g\t%.17g\t%s\t%s\t%s\t",
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
                        route->person ? route->person : "-",
                        format_name(route->format, format),
                        route->keeps_named ? "named" : "all");
                route_note_put_ignore(file, route);
                fprintf(file, "%s", route->when ? condition_text(route->when) : "-");
                if (route->each)
                        fprintf(file,
                                "\t%s\t%s%u",
                                json_path_text(route->each),
                                route->each_members ? "*" : "",
                                route->each_max);
                if (route->merges)
                        fprintf(file, "%s\tmerge", route->each ? "" : "\t-\t0");
                fputc('\n', file);
                route_note_put_map(file, route->map);
                route_note_put_joints(file, route);
        }
}

bool route_note_is_same(const Routes *a, const Routes *b) {
        char *texts[2] = { NULL };
        size_t n[2];
        bool is_same;

        if (a == b || routes_length(a) != routes_length(b))
                return a == b;
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

int route_note_add(Former *former, Routes *routes, uint64_t until_seq, int64_t until_us) {
        uint64_t ignored;
        int r;

        /* The new one is asked before them, and for all that they are. */
        for (size_t i = former_length(former); i > 0; --i)
                if (route_note_is_same(former_table(former, i - 1, &ignored), routes))
                        former_drop(former, i - 1);
        r = former_add(former, routes, until_seq, until_us);
        return r == 0 ? 0 : err_up(r);
}

static bool route_note_write(int fd, const Former *former, const Routes *routes) {
        FILE *file = fdopen(fd, "w");
        bool failed;

        if (!file) {
                (void)close(fd);
                return false;
        }
        fprintf(file, ROUTE_NOTE_HEAD "\n");
        for (size_t i = 0; i < former_length(former); ++i) {
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

typedef struct RouteNoteReader RouteNoteReader;

struct RouteNoteReader {
        Former *former; /* borrowed */
        uint64_t first_seq;
        int64_t until_us;
        Routes *table; /* owned; NULL: none has begun */
        uint64_t until_seq;
        Route route; /* owned: its lines are being read */
        bool has_route;
};

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

static bool route_note_has(const char *member) {
        return member && strcmp(member, "-") != 0;
}

static int route_note_take_ignore(Route *route, char *member) {
        size_t n = 1;

        for (const char *at = member; *at; ++at)
                n += *at == ',';
        route->ignore = calloc(n, sizeof(*route->ignore));
        if (!route->ignore)
                return err_new(-ENOMEM);
        for (char *at = member, *one; (one = strsep(&at, ","));) {
                route->ignore[route->n_ignore] = strdup(one);
                if (!route->ignore[route->n_ignore++])
                        return err_new(-ENOMEM);
        }
        return 0;
}

/* Where, and how many: with a star in front, of an object's members, too. */
static int route_note_take_each(Route *route, const char *path, const char *most) {
        route->each_members = most && *most == '*';
        route->each_max = most ? (uint32_t)strtoul(most + route->each_members, NULL, 10) : 0;
        return most ? json_path_new(&route->each, text_of(path)) : 1;
}

/* What follows the name; what a version of before did not know is as it was then. > 0: it cannot be
 * read. */
static int route_note_take_rules(Route *route, char *m[ROUTE_NOTE_MEMBERS]) {
        const char *why;
        int r = topic_template_new(&route->topic, m[1]);

        if (r == 0 && strcmp(m[4], "-") != 0)
                r = zone_new(&route->zone, m[4]);
        if (r == 0 && route_note_has(m[10])) {
                route->person = strdup(m[10]);
                r = route->person ? 0 : err_new(-ENOMEM);
        }
        if (r == 0 && m[11] && !format_from_name(text_of(m[11]), &route->format))
                return 1;
        route->keeps_named = m[12] && strcmp(m[12], "named") == 0;
        if (r == 0 && route_note_has(m[13]))
                r = route_note_take_ignore(route, m[13]);
        if (r == 0 && route_note_has(m[14]))
                r = condition_new(&route->when, m[14], &why);
        route->merges = m[17] && strcmp(m[17], "merge") == 0;
        if (r == 0 && route_note_has(m[15]))
                r = route_note_take_each(route, m[15], m[16]);
        return r;
}

/* The route whose lines were read is whole. */
static int route_note_end_route(RouteNoteReader *reader) {
        int r = 0;

        if (reader->has_route && reader->table)
                r = routes_add(reader->table, &reader->route);
        if (!reader->has_route || r != 0)
                route_done(&reader->route);
        reader->route = (Route){ 0 };
        reader->has_route = false;
        return err_up(r);
}

/* What cannot be read is left out: it is of another version of ours. */
static int route_note_take(RouteNoteReader *reader, char *line) {
        char *m[ROUTE_NOTE_MEMBERS] = { NULL };
        Route *route = &reader->route;
        int r = route_note_end_route(reader);

        if (r != 0 || !route_note_cut(line, m))
                return err_up(r);
        *route = (Route){
                .name = strdup(m[0]),
                .kind = kind_from_name(text_of(m[2])),
                .auto_register = strcmp(m[3], "1") == 0,
                .max_ahead_us = strtoll(m[5], NULL, 10),
                .max_age_us = strtoll(m[6], NULL, 10),
                .max_bytes = (size_t)strtoull(m[7], NULL, 10),
                .near_dbm = strtod(m[8], NULL),
                .medium_dbm = strtod(m[9], NULL),
        };
        r = route->name ? route_note_take_rules(route, m) : err_new(-ENOMEM);
        reader->has_route = r == 0 && route->kind != KIND_NONE;
        if (r > 0)
                r = 0; /* else it is left out */
        return err_up(r);
}

static int route_note_take_topics(RouteJoint *joint, char *line) {
        size_t n = 0;

        for (const char *at = line; at && *at; at = strchr(at, '\t'), at = at ? at + 1 : at)
                ++n;
        joint->topics = calloc(n + 1, sizeof(*joint->topics));
        if (!joint->topics)
                return err_new(-ENOMEM);
        for (char *at = line, *one; n > 0 && (one = strsep(&at, "\t"));) {
                joint->topics[joint->n_topics] = strdup(one);
                if (!joint->topics[joint->n_topics++])
                        return err_new(-ENOMEM);
        }
        return 0;
}

static int route_note_take_joint(Route *route, char *line) {
        const char *mode = strsep(&line, "\t");
        const char *device = strsep(&line, "\t");
        RouteJoint *joints;

        if (!device)
                return 0;
        joints = realloc(route->joints, (route->n_joints + 1) * sizeof(*joints));
        if (!joints)
                return err_new(-ENOMEM);
        route->joints = joints;
        joints[route->n_joints] = (RouteJoint){
                .device = strdup(device),
                .mode = strcmp(mode, "all") == 0   ? ROUTE_ALL
                        : strcmp(mode, "any") == 0 ? ROUTE_ANY
                                                   : ROUTE_LATEST,
        };
        if (!joints[route->n_joints++].device)
                return err_new(-ENOMEM);
        return err_up(route_note_take_topics(&joints[route->n_joints - 1], line));
}

/* A line of the map of the route before it. */
static int route_note_take_map(RouteNoteReader *reader, char *line) {
        char why[MAP_WHY_SIZE];
        const char *target = strsep(&line, "\t");
        int r = 0;

        if (!reader->has_route || !line)
                return 0;
        if (!*target)
                return err_up(route_note_take_joint(&reader->route, line));
        if (!reader->route.map)
                r = map_new(&reader->route.map, reader->route.kind);
        if (r == 0)
                r = map_add(reader->route.map,
                            reader->route.topic,
                            text_of(target),
                            text_of(line),
                            why);
        if (r > 0) /* as the whole: half a map is another one */
                reader->has_route = false;
        if (r > 0)
                r = 0;
        return err_up(r);
}

/* The table that was being read is whole. */
static int route_note_end_table(RouteNoteReader *reader) {
        int r = route_note_end_route(reader);
        Routes *table = TAKE(&reader->table);

        if (r == 0 && table && reader->first_seq > 0 && reader->until_seq >= reader->first_seq)
                r = route_note_add(reader->former, table, reader->until_seq, reader->until_us);
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
                return *line == '\t' ? route_note_take_map(reader, line + 1)
                                     : route_note_take(reader, line);
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
                if (r == 0)
                        r = route_note_end_route(&reader);
                route_done(&reader.route);
        }
        last = TAKE(&reader.table);
        if (r == 0 && last && reader.until_seq == UINT64_MAX && !route_note_is_same(last, routes))
                r = route_note_add(former, last, last_seq, until_us);
        return err_up(r);
}
