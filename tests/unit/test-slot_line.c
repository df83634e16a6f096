/* SlotLine: what one slot has on disk is its own, and nobody else's meanwhile. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/err.h"
#include "base/queue.h"
#include "gateway/slot_line.h"
#include "gateway/slot_lines.h"
#include "model/metrics.h"

typedef struct Fixture Fixture;

struct Fixture {
        char dir[64], journal_dir[80], command[160];
        Config config;
};

static void set_up(Fixture *f) {
        *f = (Fixture){ .dir = "/tmp/tidegate-line-XXXXXX" };
        assert_non_null(mkdtemp(f->dir));
        snprintf(f->journal_dir, sizeof(f->journal_dir), "%s/journal", f->dir);
        f->config.journal = (JournalOptions){ .dir = f->journal_dir,
                                              .segment_bytes = 1024 * 1024,
                                              .max_bytes = 16 * 1024 * 1024,
                                              .reserve_bytes = 4 * 1024 * 1024,
                                              .fsync = JOURNAL_FSYNC_NEVER };
        f->config.journal_device_share = 10;
}

static void tear_down(Fixture *f) {
        snprintf(f->command, sizeof(f->command), "rm -rf '%s'", f->dir);
        assert_int_equal(system(f->command), 0);
}

static void test_a_journal_has_one_line(void **state) {
        CLEANUP(slot_line_free) SlotLine *line = NULL, *other = NULL;
        Fixture f;

        (void)state;
        set_up(&f);
        assert_int_equal(slot_line_new(&line, &(SlotLineOptions){ .config = &f.config }), 0);
        assert_non_null(slot_line_inlet(line));
        assert_int_equal(slot_line_new(&other, &(SlotLineOptions){ .config = &f.config }),
                         SLOT_LINE_E_UNUSABLE);
        assert_null(other);
        tear_down(&f);
}

/* Of its journal, unless one is configured; and it outlives an emptied folder. */
static void test_its_session_keeps_its_name(void **state) {
        CLEANUP(slot_line_free) SlotLine *line = NULL;
        char name[64];
        Fixture f;

        (void)state;
        set_up(&f);
        assert_int_equal(slot_line_new(&line, &(SlotLineOptions){ .config = &f.config }), 0);
        snprintf(name, sizeof(name), "tidegate-%s", slot_line_epoch(line));
        assert_string_equal(slot_line_client_id(line), name);
        line = slot_line_free(line);

        snprintf(f.command, sizeof(f.command), "rm -rf '%s'", f.journal_dir);
        assert_int_equal(system(f.command), 0);
        assert_int_equal(slot_line_new(&line, &(SlotLineOptions){ .config = &f.config }), 0);
        assert_string_equal(slot_line_client_id(line), name);
        line = slot_line_free(line);

        f.config.mqtt.client_id = "ours";
        assert_int_equal(slot_line_new(&line, &(SlotLineOptions){ .config = &f.config }), 0);
        assert_string_equal(slot_line_client_id(line), "ours");
        line = slot_line_free(line);
        tear_down(&f);
}

static void drop(void *item) {
        free(item);
}

/* Each has a folder and a name of its own, and nothing is taken in before one is held. */
static void test_several_have_a_folder_each(void **state) {
        CLEANUP(slot_lines_free) SlotLines *lines = NULL;
        CLEANUP(queue_free) Queue *outbox = NULL;
        CLEANUP(routes_unref) Routes *routes = NULL;
        Fixture f;

        (void)state;
        set_up(&f);
        assert_int_equal(queue_new(&outbox, 1, drop), 0);
        assert_int_equal(routes_new(&routes), 0);
        f.config.routes = routes;
        f.config.cluster_slots = 3;
        f.config.cluster_slot = 7;
        f.config.cluster_name = "c";
        f.config.journal.max_bytes *= 3;
        assert_int_equal(slot_lines_new(&lines, &f.config, outbox, NULL, &(SlotLinesShown){ 0 }),
                         0);
        assert_int_equal(slot_lines_n(lines), 3);
        assert_int_equal(slot_lines_take(lines,
                                         &(Inbound){ .door = DOOR_HTTP,
                                                     .device_id = 1,
                                                     .topic = TEXT("t"),
                                                     .payload = TEXT("{}") }),
                         INBOUND_E_FULL);
        assert_int_equal(metric_get(METRIC_REFUSED_STANDBY), 1);
        snprintf(f.command,
                 sizeof(f.command),
                 "cd '%s' && ls -d slot-7 slot-8 slot-9 >&2",
                 f.journal_dir);
        assert_int_equal(system(f.command), 0);
        lines = slot_lines_free(lines);
        metrics_reset();
        tear_down(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_a_journal_has_one_line),
                cmocka_unit_test(test_its_session_keeps_its_name),
                cmocka_unit_test(test_several_have_a_folder_each),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
