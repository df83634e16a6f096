/* Merged: what changes of a device come to, by the number of the last one, within bounds. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/arena.h"
#include "gateway/store/merged.h"
#include "model/metrics.h"
#include "model/registry_delta.h"

typedef struct Fixture Fixture;

struct Fixture {
        Arena *arena;
        Registry *registry;
        Merged *merged;
};

/* All devices that there are: 1 to @n. */
static void have_devices(Fixture *f, int64_t n) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        const RegistryRow user = {
                .table = REGISTRY_USER,
                .user = { .id = 1, .name = "ana", .role = ROLE_USER, .is_active = true },
        };
        bool narrowed;

        assert_int_equal(registry_delta_new(&delta, true), 0);
        assert_int_equal(registry_delta_add(delta, &user), 0);
        for (int64_t id = 1; id <= n; ++id) {
                const char name[] = { (char)('a' + id), '\0' };
                const RegistryRow device = {
                        .table = REGISTRY_DEVICE,
                        .device = { .id = id,
                                    .user_id = 1,
                                    .key = name,
                                    .code = name,
                                    .is_active = true },
                };

                assert_int_equal(registry_delta_add(delta, &device), 0);
        }
        assert_int_equal(registry_apply(f->registry, delta, &narrowed), 0);
}

static int fixture_init(void **state) {
        Fixture *f = calloc(1, sizeof(*f));
        const MergedOptions options = { .max_devices = 2, .max_bytes = 32 };

        assert_non_null(f);
        assert_int_equal(arena_new(&f->arena, 256), 0);
        assert_int_equal(registry_new(&f->registry), 0);
        assert_int_equal(merged_new(&f->merged, &options), 0);
        have_devices(f, 3);
        *state = f;
        return 0;
}

static int fixture_done(void **state) {
        Fixture *f = *state;

        merged_free(f->merged);
        registry_free(f->registry);
        arena_free(f->arena);
        free(f);
        return 0;
}

static Record lay(Fixture *f, int64_t device_id, uint64_t seq, const char *data) {
        Record record = {
                .kind = KIND_TELEMETRY, .device_id = device_id, .seq = seq, .data = text_of(data)
        };

        assert_int_equal(merged_lay(f->merged, f->registry, f->arena, &record), 0);
        return record;
}

/* NULL: it stands for itself. */
static void assert_comes_to(Record record, const char *document) {
        if (!document) {
                assert_null(record.merged.data);
                return;
        }
        assert_non_null(record.merged.data);
        assert_string_equal(record.merged.data, document);
}

static void test_each_change_is_laid_over_those_before(void **state) {
        Fixture *f = *state;

        assert_comes_to(lay(f, 1, 1, "{\"a\":1,\"b\":{\"c\":1}}"), "{\"a\":1,\"b\":{\"c\":1}}");
        assert_comes_to(lay(f, 1, 2, "{\"b\":{\"d\":2}}"), "{\"a\":1,\"b\":{\"c\":1,\"d\":2}}");
        assert_comes_to(lay(f, 2, 3, "{\"a\":5}"), "{\"a\":5}");
        assert_comes_to(lay(f, 1, 4, "{\"a\":3}"), "{\"a\":3,\"b\":{\"c\":1,\"d\":2}}");
        assert_int_equal(merged_length(f->merged), 2);
}

static void test_what_is_read_again_changes_nothing(void **state) {
        Fixture *f = *state;
        Record again;

        (void)lay(f, 1, 1, "{\"a\":1}");
        (void)lay(f, 1, 2, "{\"a\":2}");
        again = lay(f, 1, 1, "{\"a\":1}");
        assert_comes_to(again, "{\"a\":2}");
        assert_int_equal(again.merged_seq, 2);
}

static void test_a_start_goes_on_from_what_is_stored(void **state) {
        Fixture *f = *state;

        assert_int_equal(merged_restore(f->merged, 1, 7, TEXT("{\"a\":1}")), 0);
        assert_comes_to(lay(f, 1, 7, "{\"a\":0}"), "{\"a\":1}");
        assert_comes_to(lay(f, 1, 8, "{\"b\":2}"), "{\"a\":1,\"b\":2}");
        assert_int_equal(merged_restore(f->merged, 1, 7, TEXT("{\"a\":1}")), 0);
        assert_comes_to(lay(f, 1, 9, "{}"), "{\"a\":1,\"b\":2}");
}

static void test_the_last_row_shows_what_it_came_to(void **state) {
        Fixture *f = *state;
        Record last = { .kind = KIND_TELEMETRY, .device_id = 1, .seq = 7, .data = TEXT("{}") };
        Record other = { .kind = KIND_TELEMETRY, .device_id = 1, .seq = 8, .data = TEXT("{}") };
        Record vehicle = { .kind = KIND_VEHICLE_LOG, .vehicle_id = 1, .seq = 7 };

        assert_int_equal(merged_restore(f->merged, 1, 7, TEXT("{\"a\":1}")), 0);
        merged_look(f->merged, true, &last);
        assert_comes_to(last, "{\"a\":1}");
        merged_look(f->merged, false, &other);
        assert_comes_to(other, NULL);
        merged_look(f->merged, true, &other);
        assert_comes_to(other, "{\"a\":1}");
        merged_look(f->merged, true, &vehicle);
        assert_comes_to(vehicle, NULL);
}

static void test_one_device_too_many_stands_for_itself(void **state) {
        Fixture *f = *state;
        int64_t n = metric_get(METRIC_MERGED_REFUSED);

        (void)lay(f, 1, 1, "{\"a\":1}");
        (void)lay(f, 2, 2, "{\"a\":1}");
        assert_comes_to(lay(f, 3, 3, "{\"a\":1}"), NULL);
        assert_int_equal(metric_get(METRIC_MERGED_REFUSED) - n, 1);
        assert_comes_to(lay(f, 2, 4, "{\"b\":1}"), "{\"a\":1,\"b\":1}");
}

static void test_a_device_that_is_gone_gives_way(void **state) {
        Fixture *f = *state;

        (void)lay(f, 1, 1, "{\"a\":1}");
        (void)lay(f, 3, 2, "{\"a\":1}");
        have_devices(f, 2);
        assert_comes_to(lay(f, 2, 3, "{\"b\":1}"), "{\"b\":1}");
        assert_int_equal(merged_length(f->merged), 2);
}

static void test_another_device_with_that_id_begins_anew(void **state) {
        Fixture *f = *state;
        Record record = { .kind = KIND_TELEMETRY, .device_id = 1, .device_key = 7, .seq = 3 };

        assert_int_equal(merged_restore(f->merged, 1, 1, TEXT("{\"a\":1}")), 0);
        assert_comes_to(lay(f, 1, 2, "{\"b\":1}"), "{\"a\":1,\"b\":1}");
        record.data = TEXT("{\"c\":1}");
        assert_int_equal(merged_lay(f->merged, f->registry, f->arena, &record), 0);
        assert_comes_to(record, "{\"a\":1,\"b\":1,\"c\":1}"); /* no other key is known */
        record.seq = 4;
        record.device_key = 8;
        record.merged = (Text){ 0 };
        merged_look(f->merged, true, &record);
        assert_null(record.merged.data);
        record.data = TEXT("{\"d\":1}");
        assert_int_equal(merged_lay(f->merged, f->registry, f->arena, &record), 0);
        assert_comes_to(record, "{\"d\":1}");
        assert_int_equal(merged_length(f->merged), 1);
}

static void test_a_document_that_grows_too_long_begins_anew(void **state) {
        Fixture *f = *state;
        int64_t n = metric_get(METRIC_MERGED_TOO_LARGE);

        (void)lay(f, 1, 1, "{\"a\":\"0123456789\"}");
        assert_comes_to(lay(f, 1, 2, "{\"b\":\"0123456789\"}"), "{\"b\":\"0123456789\"}");
        assert_comes_to(lay(f, 1, 3, "{\"c\":\"0123456789012345678901234\"}"), NULL);
        assert_comes_to(lay(f, 1, 4, "{\"b\":1}"), "{\"b\":1}");
        assert_int_equal(metric_get(METRIC_MERGED_TOO_LARGE) - n, 2);
}

static void test_numbers_move_with_those_of_the_journal(void **state) {
        Fixture *f = *state;

        (void)lay(f, 1, 3, "{\"a\":1}");
        (void)lay(f, 2, 7, "{\"a\":1}");
        merged_move(f->merged, 5, 100);
        assert_int_equal(lay(f, 1, 3, "{}").merged_seq, 3);
        assert_int_equal(lay(f, 2, 107, "{}").merged_seq, 107);
}

int main(void) {
        const struct CMUnitTest tests[] = {
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_init, fixture_done)
                TEST(test_each_change_is_laid_over_those_before),
                TEST(test_what_is_read_again_changes_nothing),
                TEST(test_a_start_goes_on_from_what_is_stored),
                TEST(test_the_last_row_shows_what_it_came_to),
                TEST(test_one_device_too_many_stands_for_itself),
                TEST(test_a_device_that_is_gone_gives_way),
                TEST(test_another_device_with_that_id_begins_anew),
                TEST(test_a_document_that_grows_too_long_begins_anew),
                TEST(test_numbers_move_with_those_of_the_journal),
#undef TEST
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
