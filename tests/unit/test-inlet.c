/* Inlet: what comes is in the journal before it is acknowledged, or it is not acknowledged. */

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "gateway/decode/route.h"
#include "gateway/inlet.h"
#include "gateway/journal/journal.h"
#include "gateway/lease.h"
#include "gateway/slot_keys.h"
#include "model/metrics.h"

#define SEGMENT_BYTES ((size_t)64 * 1024)
#define SHARE_BYTES   1000

static char dir[64];
static Journal *journal;
static Inlet *inlet;
static bool is_awake;
static const Lease *const lease = (const Lease *)dir; /* which nobody looks into */

bool __wrap_lease_is_awake(const Lease *asked);
bool __wrap_lease_is_awake(const Lease *asked) {
        assert_ptr_equal(asked, lease);
        return is_awake;
}

static int set_up(void **state) {
        JournalOptions options = { .dir = dir,
                                   .max_bytes = 8 * SEGMENT_BYTES,
                                   .segment_bytes = SEGMENT_BYTES,
                                   .reserve_bytes = SEGMENT_BYTES,
                                   .fsync = JOURNAL_FSYNC_NEVER };

        (void)state;
        log_set_level(LOG_LEVEL_ERROR);
        metrics_reset();
        strcpy(dir, "/tmp/tidegate-inlet-XXXXXX");
        assert_non_null(mkdtemp(dir));
        assert_int_equal(journal_open(&journal, &options), 0);
        assert_int_equal(inlet_new(&inlet, journal, SEGMENT_BYTES, SHARE_BYTES), 0);
        is_awake = true;
        inlet_open(inlet, lease);
        return 0;
}

static int tear_down(void **state) {
        struct dirent *entry;
        char path[512];
        DIR *stream;

        (void)state;
        assert_int_equal(inlet_result(inlet), 0);
        inlet = inlet_free(inlet);
        journal = journal_close(journal);
        stream = opendir(dir);
        assert_non_null(stream);
        while ((entry = readdir(stream))) {
                snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
                (void)unlink(path);
        }
        closedir(stream);
        rmdir(dir);
        return 0;
}

static char *bytes_of(size_t n) {
        static char bytes[4 * SEGMENT_BYTES];

        memset(bytes, 'x', n);
        return bytes;
}

static Inbound inbound_of(Door door, size_t n_payload) {
        return (Inbound){ .door = door,
                          .device_id = door == DOOR_MQTT ? 0 : 7,
                          .kind = door == DOOR_MQTT ? KIND_NONE : KIND_TELEMETRY,
                          .topic = TEXT("devices/7/data"),
                          .payload = { bytes_of(n_payload), n_payload } };
}

static int take(Door door, size_t n_payload) {
        const Inbound inbound = inbound_of(door, n_payload);

        return inlet_take(inlet, &inbound);
}

static size_t n_in_journal(size_t *ret_n_last) {
        JournalRecord records[64];
        uint64_t after = 0;
        size_t n, n_all = 0;

        while ((n = journal_read(journal, after, records, 64, SIZE_MAX)) > 0) {
                n_all += n;
                after = records[n - 1].seq;
                *ret_n_last = records[n - 1].payload.n;
        }
        return n_all;
}

static void test_it_takes_nothing_unless_it_is_open_and_we_were_awake(void **state) {
        size_t n_last;

        (void)state;
        inlet_shut(inlet);
        assert_false(inlet_is_open(inlet));
        assert_int_equal(take(DOOR_MQTT, 10), INBOUND_E_FULL);
        assert_int_equal(metric_get(METRIC_REFUSED_STANDBY), 0); /* the broker keeps it */
        assert_int_equal(take(DOOR_HTTP, 10), INBOUND_E_FULL);
        assert_int_equal(metric_get(METRIC_REFUSED_STANDBY), 1);
        inlet_open(inlet, lease);
        is_awake = false;
        assert_int_equal(take(DOOR_MQTT, 10), INBOUND_E_FULL);
        assert_int_equal(n_in_journal(&n_last), 0);
        is_awake = true;
        assert_int_equal(take(DOOR_MQTT, 10), 0);
        assert_int_equal(n_in_journal(&n_last), 1);
        assert_int_equal(metric_get(METRIC_IN_JOURNAL), 1);
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), 1);
}

static void test_who_asks_is_told_its_number(void **state) {
        Inbound inbound = inbound_of(DOOR_HTTP, 10);
        uint64_t seq = 0;

        (void)state;
        inbound.ret_seq = &seq;
        assert_int_equal(inlet_take(inlet, &inbound), 0);
        assert_int_equal(seq, journal_last_seq(journal));
}

/* It is acknowledged once more, and there once. */
static void test_what_comes_again_is_taken_for_what_it_is(void **state) {
        Inbound inbound = inbound_of(DOOR_MQTT, 10);
        size_t n_last;

        (void)state;
        inbound.qos = 1;
        inbound.packet_id = 5;
        inlet_session_resumed(inlet, 3, 10);
        assert_int_equal(inlet_take(inlet, &inbound), 0);
        inbound.is_redelivery = true;
        assert_int_equal(inlet_take(inlet, &inbound), 0);
        assert_int_equal(n_in_journal(&n_last), 1);
        assert_int_equal(metric_get(METRIC_DUPLICATE), 1);
        inlet_session_lost(inlet, 3); /* packet ids start over */
        assert_int_equal(inlet_take(inlet, &inbound), 0);
        assert_int_equal(n_in_journal(&n_last), 2);
}

/* It is longer than any route allows even so, and is set aside with its beginning. */
static void test_what_no_segment_can_hold_is_cut_to_what_one_can(void **state) {
        size_t n_last = 0;

        (void)state;
        assert_int_equal(take(DOOR_MQTT, 2 * SEGMENT_BYTES), 0);
        assert_int_equal(n_in_journal(&n_last), 1);
        assert_int_equal(n_last, SEGMENT_BYTES / 2);
}

static void test_a_topic_without_a_place_is_dropped_and_counted(void **state) {
        Inbound inbound = inbound_of(DOOR_MQTT, 10);
        size_t n_last;

        (void)state;
        inbound.topic = (Text){ bytes_of(SEGMENT_BYTES), SEGMENT_BYTES - 1 };
        inbound.payload = TEXT("x");
        assert_int_equal(inlet_take(inlet, &inbound), 0); /* the broker would send it for ever */
        assert_int_equal(n_in_journal(&n_last), 0);
        assert_int_equal(metric_get(METRIC_RECEIVED_MQTT), 1);
        assert_int_equal(metric_get_dead_letter(REASON_TOO_LARGE), 1);
}

static void test_a_device_has_its_share_and_others_have_theirs(void **state) {
        Inbound other = inbound_of(DOOR_WS, SHARE_BYTES / 2);

        (void)state;
        other.device_id = 8;
        assert_int_equal(take(DOOR_WS, 2 * SHARE_BYTES), 0);  /* a first one always fits */
        assert_int_equal(take(DOOR_HTTP, 1), INBOUND_E_FULL); /* by whatever door */
        assert_int_equal(metric_get(METRIC_REFUSED_JOURNAL_SHARE), 1);
        assert_int_equal(inlet_take(inlet, &other), 0);
        assert_int_equal(take(DOOR_MQTT, SHARE_BYTES), 0); /* whose it is nobody says */
        assert_int_equal(metric_get(METRIC_REFUSED_JOURNAL_SHARE), 1);
}

static void test_a_full_journal_is_no_place_and_nothing_is_lost(void **state) {
        size_t n_taken = 0, n_last;
        int r;

        (void)state;
        while ((r = take(DOOR_MQTT, SEGMENT_BYTES / 3)) == 0)
                assert_true(++n_taken < 100);
        assert_int_equal(r, INBOUND_E_FULL);
        assert_true(inlet_is_high(inlet));
        assert_int_equal(n_in_journal(&n_last), n_taken);
        assert_true(metric_get(METRIC_REFUSED_JOURNAL_FULL) > 0);
}

/* Whoever has that slot gets it as well; what other doors bring is ours, whosever it is. */
static void test_what_mqtt_brings_of_another_slot_is_left(void **state) {
        CLEANUP(slot_keys_free) SlotKeys *keys = NULL;
        CLEANUP(routes_unref) Routes *routes = NULL;
        unsigned slot = 9;
        size_t n_last;

        (void)state;
        inlet_shut(inlet);
        assert_int_equal(routes_new(&routes), 0);
        assert_int_equal(slot_keys_new(&keys, routes, 2), 0);
        assert_int_equal(slot_keys_find(keys, TEXT("devices/7/data"), &slot), 0);
        inlet_set_slot(inlet, keys, 1 - slot);
        inlet_open(inlet, lease);
        assert_int_equal(take(DOOR_MQTT, 10), 0);
        assert_int_equal(n_in_journal(&n_last), 0);
        assert_int_equal(metric_get(METRIC_ELSEWHERE), 1);
        assert_int_equal(take(DOOR_WS, 10), 0);
        assert_int_equal(n_in_journal(&n_last), 1);
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
        const struct CMUnitTest tests[] = {
                CASE(test_it_takes_nothing_unless_it_is_open_and_we_were_awake),
                CASE(test_who_asks_is_told_its_number),
                CASE(test_what_comes_again_is_taken_for_what_it_is),
                CASE(test_what_no_segment_can_hold_is_cut_to_what_one_can),
                CASE(test_a_topic_without_a_place_is_dropped_and_counted),
                CASE(test_a_device_has_its_share_and_others_have_theirs),
                CASE(test_a_full_journal_is_no_place_and_nothing_is_lost),
                CASE(test_what_mqtt_brings_of_another_slot_is_left),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
