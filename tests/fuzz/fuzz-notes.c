/*
 * Notes: the small files beside the segments of a journal, as somebody or a torn write may have
 * left them. The first byte names one: `r`outes, `i`dentity, how far the database had `s`tored, the
 * `c`lient id, the `f`ilters of the broker's session, the `n`umbers, or those with a right
 * checksum: `N`. Whatever is in it: opening never crashes, what is read keeps its promises, and
 * what is written in its place is read as it was written.
 */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "gateway/decode/former.h"
#include "gateway/decode/route_note.h"
#include "gateway/journal/crc32c.h"
#include "gateway/journal/journal_dir.h"
#include "gateway/journal/journal_note.h"
#include "gateway/journal/journal_numbers.h"
#include "gateway/session_name.h"
#include "model/topic.h"
#include "model/topic_filter.h"
#include "mqtt/filters.h"
#include "tests/fuzz/fuzz.h"

#define MAX_INPUT  16384
#define MAX_TABLES 16 /* that a note has */

#define NUMBERS_EPOCH UINT64_C(0x0123456789abcdef)
#define NUMBERS_PLACE 4096
#define NUMBERS_BYTES 824 /* of a place */

static char place[64]; /* the folder, */
static struct {
        char paths[8][128];
        size_t n;
} files; /* and what to remove from it */

static void remove_all(void) {
        for (size_t i = 0; i < files.n; ++i)
                unlink(files.paths[i]);
        rmdir(place);
}

/* Its path; kept, so that it is removed at the end. */
static const char *file(const char *name) {
        char *path = files.paths[files.n++];

        snprintf(path, sizeof(files.paths[0]), "%s%s", place, name);
        return path;
}

static struct {
        const char *routes, *identity, *stored, *client, *beside, *filters, *lock, *numbers;
} paths;

static void place_init(void) {
        log_set_level((LogLevel)-1);
        snprintf(place,
                 sizeof(place),
                 "%s/tidegate-fuzz-notes-XXXXXX",
                 access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp"); /* it syncs a lot */
        FUZZ_CHECK(mkdtemp(place));
        atexit(remove_all);
        paths.routes = file("/routes");
        paths.identity = file("/identity");
        paths.stored = file("/stored");
        paths.client = file("/client-id");
        paths.beside = file(".client-id");
        paths.filters = file("/subscriptions");
        paths.lock = file("/lock");
        paths.numbers = file("/numbers");
}

static void put(const char *path, const uint8_t *data, size_t n) {
        int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

        FUZZ_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
        close(fd);
}

/* ---- routes ---- */

static Routes *new_routes(const char *topic) {
        Routes *routes = NULL;
        Route route = { .name = strdup("a"), .kind = KIND_ALERT, .max_bytes = 1000 };

        FUZZ_CHECK(route.name && routes_new(&routes) == 0);
        FUZZ_CHECK(topic_template_new(&route.topic, topic) == 0);
        FUZZ_CHECK(routes_add(routes, &route) == 0);
        return routes;
}

static void check_routes(void) {
        Former *former = NULL, *again = NULL;
        Routes *routes = new_routes("a/{device}");

        FUZZ_CHECK(former_new(&former) == 0 && former_new(&again) == 0);
        FUZZ_CHECK(route_note_load(paths.routes, former, routes, 5, 100, INT64_MAX) == 0);
        route_note_save(paths.routes, former, routes);
        FUZZ_CHECK(route_note_load(paths.routes, again, routes, 5, 100, INT64_MAX) == 0);
        FUZZ_CHECK(former_length(again) == former_length(former) ||
                   former_length(former) > MAX_TABLES);
        former_free(former);
        former_free(again);
        routes_unref(routes);
}

/* ---- the others ---- */

static void check_identity(void) {
        JournalDir dir = JOURNAL_DIR_INIT, again = JOURNAL_DIR_INIT;
        int r = journal_dir_open(&dir, place);

        FUZZ_CHECK(r >= 0);
        journal_dir_close(&dir);
        if (r != 0)
                return;
        FUZZ_CHECK(journal_dir_look(&again, place) == 0);
        FUZZ_CHECK(again.identity.epoch == dir.identity.epoch &&
                   again.identity.salt == dir.identity.salt);
        journal_dir_close(&again);
}

static void check_stored(void) {
        JournalNote note = JOURNAL_NOTE_INIT, again = JOURNAL_NOTE_INIT;
        int dir_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t seq;

        FUZZ_CHECK(dir_fd >= 0);
        journal_note_open(&note, dir_fd, "stored");
        seq = note.seq < UINT64_MAX ? note.seq + 1 : note.seq;
        journal_note_set(&note, seq);
        journal_note_close(&note);
        journal_note_open(&again, dir_fd, "stored");
        FUZZ_CHECK(again.seq == seq);
        journal_note_close(&again);
        close(dir_fd);
}

static void check_client(void) {
        char name[SESSION_NAME_SIZE], again[SESSION_NAME_SIZE];

        session_name(place, "0123456789abcdef", name);
        FUZZ_CHECK(name[0] && strlen(name) < sizeof(name));
        session_name(place, "fedcba9876543210", again);
        FUZZ_CHECK(strcmp(name, again) == 0);
        session_name_change(place, "changed");
        session_name(place, "0123456789abcdef", name);
        FUZZ_CHECK(strcmp(name, "changed") == 0);
}

static void check_filters(void) {
        static const char *const wanted[] = { "a/+", "b/#" };
        MqttFilters *filters = NULL, *again = NULL;

        FUZZ_CHECK(mqtt_filters_new(&filters, wanted, 2) == 0);
        FUZZ_CHECK(mqtt_filters_new(&again, wanted, 2) == 0);
        (void)mqtt_filters_load(filters, paths.filters, "client");
        for (size_t i = 0; i < filters->n_items; ++i)
                FUZZ_CHECK(topic_filter_is_valid(text_of(filters->items[i].text)));
        filters->is_changed = true;
        mqtt_filters_save(filters, paths.filters, "client");
        FUZZ_CHECK(mqtt_filters_load(again, paths.filters, "client"));
        FUZZ_CHECK(again->n_items == filters->n_items);
        mqtt_filters_free(filters);
        mqtt_filters_free(again);
}

/* The second place of the file; in the first one nothing has been written. */
static void put_numbers(const uint8_t *data, size_t n, bool is_sealed) {
        static uint8_t bytes[NUMBERS_PLACE + NUMBERS_BYTES];
        uint8_t *second = bytes + NUMBERS_PLACE;
        const uint64_t epoch = NUMBERS_EPOCH;
        const uint32_t version = 1;
        uint32_t crc;

        memset(bytes, 0, sizeof(bytes));
        memcpy(second, data, n < NUMBERS_BYTES ? n : NUMBERS_BYTES);
        if (is_sealed) {
                memcpy(second, "TIDEGNUM", 8);
                memcpy(second + 8, &version, sizeof(version));
                memcpy(second + 16, &epoch, sizeof(epoch));
                crc = crc32c(0, second, NUMBERS_BYTES - sizeof(crc));
                memcpy(second + NUMBERS_BYTES - sizeof(crc), &crc, sizeof(crc));
        }
        put(paths.numbers, bytes, sizeof(bytes));
}

static void check_numbers(void) {
        JournalNumbers numbers = JOURNAL_NUMBERS_INIT, again = JOURNAL_NUMBERS_INIT;
        int dir_fd = open(place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        uint64_t next, by, shifted = journal_numbers_shifted(&numbers, 7);
        int r;

        FUZZ_CHECK(dir_fd >= 0 && shifted == 7);
        FUZZ_CHECK(journal_numbers_open(&numbers, dir_fd, NUMBERS_EPOCH) == 0);
        next = journal_numbers_begin(&numbers, 5, 9, 1000);
        r = journal_numbers_reserve(&numbers, next, 1);
        FUZZ_CHECK(r == 0 || r == -EOVERFLOW);
        (void)journal_numbers_raw(&numbers, next);
        if (r == 0 && journal_numbers_judge(&numbers, 0, next, next + 5, &next, &by) == 0)
                FUZZ_CHECK(numbers.is_confirmed);
        FUZZ_CHECK(journal_numbers_open(&again, dir_fd, NUMBERS_EPOCH) == 0);
        FUZZ_CHECK(again.n_shifts == numbers.n_shifts && again.reserved == numbers.reserved);
        journal_numbers_close(&numbers);
        journal_numbers_close(&again);
        close(dir_fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        if (n == 0 || n > MAX_INPUT)
                return 0;
        if (files.n == 0)
                place_init();
        switch (data[0]) {
        case 'r':
                put(paths.routes, data + 1, n - 1);
                check_routes();
                break;
        case 'i':
                put(paths.identity, data + 1, n - 1);
                check_identity();
                break;
        case 's':
                put(paths.stored, data + 1, n - 1);
                check_stored();
                break;
        case 'c':
                put(paths.client, data + 1, n - 1);
                put(paths.beside, data + 1, (n - 1) / 2);
                check_client();
                break;
        case 'f':
                put(paths.filters, data + 1, n - 1);
                check_filters();
                break;
        case 'n':
        case 'N':
                put_numbers(data + 1, n - 1, data[0] == 'N');
                check_numbers();
                break;
        default:
                break;
        }
        return 0;
}
