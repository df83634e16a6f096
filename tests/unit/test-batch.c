/*
 * Batch: what was decoded to be shown is stored as it was decoded, but for what only the store can
 * decide, and for names that are somebody else's by now.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "gateway/decode/decode.h"
#include "gateway/decode/former.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/judge.h"
#include "gateway/memory/lateness.h"
#include "gateway/store/batch.h"
#include "gateway/store/merged.h"
#include "model/registry_delta.h"

#define RECORDS_MAX 16
#define RECEIVED_US INT64_C(1700000000000000)

typedef struct Fixture Fixture;

struct Fixture {
        Batch *batch;
        Registry *registry;
        BatchContext context;
};

static JournalRecord entries[RECORDS_MAX]; /* the journal */
static size_t n_entries, n_decoded;

size_t __wrap_journal_read(Journal *journal,
                           uint64_t after_seq,
                           JournalRecord ret_records[],
                           size_t n_max,
                           size_t max_bytes);
int __real_decode_choose(Arena *arena,
                         const Route *const routes[],
                         size_t n_routes,
                         const Record *envelope,
                         Parsed *parsed,
                         const Route **ret_route);
int __wrap_decode_choose(Arena *arena,
                         const Route *const routes[],
                         size_t n_routes,
                         const Record *envelope,
                         Parsed *parsed,
                         const Route **ret_route);

size_t __wrap_journal_read(Journal *journal,
                           uint64_t after_seq,
                           JournalRecord ret_records[],
                           size_t n_max,
                           size_t max_bytes) {
        size_t n = 0;

        (void)journal, (void)max_bytes;
        for (size_t i = after_seq; i < n_entries && n < n_max; ++i)
                ret_records[n++] = entries[i];
        return n;
}

int __wrap_decode_choose(Arena *arena,
                         const Route *const routes[],
                         size_t n_routes,
                         const Record *envelope,
                         Parsed *parsed,
                         const Route **ret_route) {
        ++n_decoded;
        return __real_decode_choose(arena, routes, n_routes, envelope, parsed, ret_route);
}

/* ---- */

static void say(const char *topic, const char *payload) {
        entries[n_entries] = (JournalRecord){ .seq = n_entries + 1,
                                              .received_us = RECEIVED_US + (int64_t)n_entries,
                                              .topic = text_of(topic),
                                              .payload = text_of(payload) };
        ++n_entries;
}

static Routes *status_route(const char *topic, bool auto_register) {
        Route route = { .name = strdup(topic),
                        .kind = KIND_DEVICE_STATUS,
                        .max_bytes = 256,
                        .auto_register = auto_register };
        Routes *routes = NULL;

        assert_int_equal(topic_template_new(&route.topic, topic), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        return routes;
}

/* All that there is, from here on: ids from here on, one device each. */
static void have_devices(Registry *registry, int64_t id, const char *code, const char *next) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const RegistryRow user = {
                .table = REGISTRY_USER,
                .user = { .id = 1, .name = "ana", .role = ROLE_USER, .is_active = true },
        };
        const RegistryRow devices[] = {
                { .table = REGISTRY_DEVICE,
                  .device = { .id = id,
                              .user_id = 1,
                              .key = "k",
                              .code = code,
                              .is_active = true } },
                { .table = REGISTRY_DEVICE,
                  .device = { .id = id + 1,
                              .user_id = 1,
                              .key = "l",
                              .code = next,
                              .is_active = true } },
        };
        bool narrowed;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        assert_int_equal(registry_delta_add(delta, &user), 0);
        for (size_t i = 0; i < (next ? 2 : 1); ++i)
                assert_int_equal(registry_delta_add(delta, &devices[i]), 0);
        assert_int_equal(registry_apply(registry, delta, &narrowed), 0);
}

static void fixture_init(Fixture *f) {
        Former *former = NULL;

        *f = (Fixture){ 0 };
        n_entries = n_decoded = 0;
        assert_int_equal(batch_new(&f->batch, RECORDS_MAX), 0);
        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(lateness_new(&f->context.latest), 0);
        assert_int_equal(judge_new(&f->context.judge), 0);
        assert_int_equal(former_new(&former), 0);
        f->context.by.former = former;
        f->context.by.routes = status_route("s/{device}", false);
        f->context.registry = f->registry;
        f->context.fresh_us = INT64_MAX;
        have_devices(f->registry, 10, "d1", NULL);
}

static void fixture_done(Fixture *f) {
        batch_free(f->batch);
        registry_free(f->registry);
        lateness_free(f->context.latest);
        judge_free(f->context.judge);
        former_free((Former *)(uintptr_t)f->context.by.former);
        routes_unref((Routes *)(uintptr_t)f->context.by.routes);
}

static void show(Fixture *f) {
        const BatchSpan span = { .after_seq = batch_length(f->batch),
                                 .until_seq = UINT64_MAX,
                                 .n_max = RECORDS_MAX,
                                 .young_us = INT64_MAX };

        f->context.is_final = false;
        assert_int_equal(batch_load_on(f->batch, &f->context, &span), 0);
        assert_int_equal(batch_length(f->batch), n_entries);
}

/* To be stored: so many are. */
static void settle(Fixture *f, size_t n) {
        f->context.is_final = true;
        assert_int_equal(batch_settle(f->batch, &f->context), 0);
        assert_int_equal(batch_length(f->batch), n);
        assert_int_equal(batch_wants(f->batch), BATCH_WANTS_NOTHING);
}

static const DeviceState *state_of(const Fixture *f, int64_t id) {
        return &registry_device(f->registry, id)->state;
}

/* ---- */

static void test_what_was_shown_is_stored_as_it_was_decoded(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\"}");
        say("s/d1", "no JSON");
        show(&f);
        say("s/d1", "{\"status\":\"warning\"}");
        show(&f);
        settle(&f, 3);
        assert_int_equal(n_decoded, 3);
        assert_int_equal(batch_record(f.batch, 1)->reason, REASON_BAD_JSON);
        assert_int_equal(batch_record(f.batch, 2)->device_id, 10);
        assert_non_null(batch_state(f.batch, 2));
        fixture_done(&f);
}

/* The first two are in the order of their clocks, the third is not. */
static void test_lateness_and_state_are_judged_when_it_is_shown(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\",\"timestamp\":1600000001}");
        say("s/d1", "{\"status\":\"warning\",\"timestamp\":1600000003}");
        say("s/d1", "{\"status\":\"error\",\"timestamp\":1600000002}");
        show(&f);
        assert_string_equal(state_of(&f, 10)->status, "warning");
        settle(&f, 3);
        assert_false(batch_record(f.batch, 0)->late);
        assert_false(batch_record(f.batch, 1)->late);
        assert_true(batch_record(f.batch, 2)->late);

        /* and if there was no room to keep it: by its number */
        batch_reset(f.batch);
        show(&f);
        assert_int_equal(n_decoded, 6);
        assert_false(batch_record(f.batch, 0)->late);
        assert_false(batch_record(f.batch, 1)->late);
        assert_true(batch_record(f.batch, 2)->late);
        assert_string_equal(state_of(&f, 10)->status, "warning");
        fixture_done(&f);
}

static void test_what_was_left_to_the_store_is_decided_then_and_its_neighbours_stay(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\"}");
        say("s/d2", "{\"status\":\"error\"}");
        say("s/d1", "no JSON");
        show(&f);
        assert_int_equal(batch_record(f.batch, 1)->reason, REASON_UNKNOWN_DEVICE);
        have_devices(f.registry, 10, "d1", "d2");
        settle(&f, 3);
        assert_int_equal(n_decoded, 3 + 1);
        assert_int_equal(batch_record(f.batch, 1)->reason, REASON_NONE);
        assert_int_equal(batch_record(f.batch, 1)->device_id, 11);
        assert_string_equal(state_of(&f, 11)->status, "error");
        assert_string_equal(state_of(&f, 10)->status, "online");
        fixture_done(&f);
}

/* The registry may be older than the record: the batch ends before it. */
static void test_it_ends_before_what_has_to_be_asked_about(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\"}");
        say("s/d2", "{\"status\":\"error\"}");
        say("s/d1", "{\"status\":\"warning\"}");
        show(&f);
        f.context.fresh_us = RECEIVED_US;
        settle(&f, 1);
        fixture_done(&f);
}

/* A server that crashed has forgotten a device, and given its id to another. */
static void test_a_name_that_is_another_one_by_now_is_looked_up_again(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\"}");
        show(&f);
        have_devices(f.registry, 11, "d1", NULL);
        settle(&f, 1);
        assert_int_equal(batch_record(f.batch, 0)->device_id, 11);

        batch_reset(f.batch);
        show(&f);
        have_devices(f.registry, 11, "other", NULL);
        settle(&f, 1);
        assert_int_equal(batch_record(f.batch, 0)->reason, REASON_UNKNOWN_DEVICE);
        fixture_done(&f);
}

static void assert_merged(const Fixture *f, size_t i, const char *document) {
        Text merged = batch_record(f->batch, i)->merged;

        assert_non_null(merged.data);
        assert_string_equal(merged.data, document);
}

/* The third is older, by its own clock, than what is known. */
static void test_changes_are_laid_over_each_other_once(void **state) {
        const MergedOptions options = { .max_devices = 8, .max_bytes = 256 };
        Route route = {
                .name = strdup("t"), .kind = KIND_TELEMETRY, .max_bytes = 256, .merges = true
        };
        CLEANUP(merged_free) Merged *merged = NULL;
        Routes *routes = NULL;
        Fixture f;

        (void)state;
        fixture_init(&f);
        assert_int_equal(merged_new(&merged, &options), 0);
        assert_int_equal(topic_template_new(&route.topic, "t/{device}"), 0);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(routes_add(routes, &route), 0);
        routes_unref((Routes *)(uintptr_t)f.context.by.routes);
        f.context.by.routes = routes;
        f.context.merged = merged;
        say("t/d1", "{\"a\":1,\"b\":1}");
        say("t/d1", "{\"b\":2,\"timestamp\":1700000000}");
        say("t/d1", "{\"b\":3,\"timestamp\":1600000000}");
        show(&f);
        assert_merged(&f, 0, "{\"a\":1,\"b\":1}");
        assert_merged(&f, 1, "{\"a\":1,\"b\":2,\"timestamp\":1700000000}");
        assert_true(batch_record(f.batch, 2)->late);
        assert_null(batch_record(f.batch, 2)->merged.data);
        settle(&f, 3);
        assert_merged(&f, 0, "{\"a\":1,\"b\":1}");

        batch_reset(f.batch);
        show(&f);
        assert_merged(&f, 0, "{\"a\":1,\"b\":2,\"timestamp\":1700000000}");
        assert_int_equal(batch_record(f.batch, 0)->merged_seq, 2);
        assert_null(batch_record(f.batch, 2)->merged.data);
        fixture_done(&f);
}

/* Of two that are filled in again, one is older than what has been received since. */
static void test_what_an_older_database_lacked_moves_what_is_known_from_there(void **state) {
        DeviceState older = { .last_seen_us = RECEIVED_US - 1, .time_us = CLOCK_UNKNOWN };
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\"}");
        say("s/d1", "{\"status\":\"warning\"}");
        show(&f);
        registry_set_state(f.registry, 10, &older);
        judge_again(f.context.judge, 0);
        batch_reset(f.batch);
        show(&f);
        assert_string_equal(state_of(&f, 10)->status, "warning");

        older.last_seen_us = RECEIVED_US + 1;
        registry_set_state(f.registry, 10, &older);
        judge_again(f.context.judge, 0);
        batch_reset(f.batch);
        show(&f);
        assert_true(batch_record(f.batch, 0)->late);
        assert_false(batch_record(f.batch, 1)->late);
        assert_string_equal(state_of(&f, 10)->status, "warning");
        fixture_done(&f);
}

static void test_only_what_is_settled_is_for_the_store(void **state) {
        Fixture f;

        (void)state;
        fixture_init(&f);
        say("s/d1", "{\"status\":\"online\"}");
        say("s/d2", "{\"status\":\"online\"}");
        say("s/d1", "no JSON");
        show(&f);
        assert_false(batch_is_final(f.batch));
        assert_int_equal(batch_fate(f.batch, 0), BATCH_ROW);
        assert_int_equal(batch_fate(f.batch, 1), BATCH_OPEN);
        assert_int_equal(batch_fate(f.batch, 2), BATCH_LETTER);
        settle(&f, 3);
        assert_true(batch_is_final(f.batch));
        assert_int_equal(batch_fate(f.batch, 1), BATCH_LETTER);
        batch_set_aside(f.batch, 0, TEXT("SQLSTATE 22P02"));
        assert_int_equal(batch_fate(f.batch, 0), BATCH_LETTER);
        assert_int_equal(batch_record(f.batch, 0)->reason, REASON_DB_REJECTED);
        fixture_done(&f);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_only_what_is_settled_is_for_the_store),
                cmocka_unit_test(test_what_was_shown_is_stored_as_it_was_decoded),
                cmocka_unit_test(test_lateness_and_state_are_judged_when_it_is_shown),
                cmocka_unit_test(
                        test_what_was_left_to_the_store_is_decided_then_and_its_neighbours_stay),
                cmocka_unit_test(test_changes_are_laid_over_each_other_once),
                cmocka_unit_test(test_what_an_older_database_lacked_moves_what_is_known_from_there),
                cmocka_unit_test(test_it_ends_before_what_has_to_be_asked_about),
                cmocka_unit_test(test_a_name_that_is_another_one_by_now_is_looked_up_again),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
