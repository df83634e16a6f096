/* DbLetterRows: the letters that were asked for, in an order that stays, and nothing else. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdio.h>

#include "db/read/letter_rows.h"
#include "model/record.h"
#include "model/topic_filter.h"
#include "postgres.h"

#define NOON INT64_C(1760788800000000) /* 2025-10-18T12:00:00Z */

static DbConn *conn;

/* Ten letters, a minute apart, of two reasons, routes and devices. */
static void letters_open(void) {
        postgres_migrate();
        conn = postgres_connect(5000);
        postgres_run("SELECT tidegate_make_partitions('2025-10-18', '2025-10-18');"
                     "INSERT INTO dead_letters (seq, received_at, journal_id, item, reason, topic,"
                     " detail, payload, route, device) SELECT 100 + i, timestamptz"
                     " '2025-10-18 12:00+00' + i * interval '1 minute', 1,"
                     " CASE WHEN i = 10 THEN 3 END, CASE WHEN i % 2 = 0 THEN 'bad_json' ELSE"
                     " 'out_of_range' END, 'ems/d' || i % 3 || '/telemetry', 'detail ' || i % 2,"
                     " '\\x7b7d', CASE WHEN i > 2 THEN 'telemetry' END, 'd' || i % 3"
                     " FROM generate_series(1, 10) i");
}

static void letters_append(void *arg, const DbLetterRow *row) {
        buf_printf(arg, " %lld", (long long)row->id);
}

/* The ids of a page. */
static int64_t check_ids(const LetterQuery *query, const char *expected) {
        CLEANUP_BUF Buf ids = { 0 };
        int64_t cursor = -1;

        assert_int_equal(db_letter_rows(conn, query, letters_append, &ids, &cursor), 0);
        assert_string_equal(ids.n ? ids.data : "", expected);
        return cursor;
}

static LetterQuery ask(LetterField field, const char *value) {
        LetterQuery query = LETTER_QUERY_INIT(50, 1000);
        char said[LETTER_SAID_SIZE];

        assert_true(letter_query_set(&query, field, text_of(value), NOON + CLOCK_DAY_US, said));
        return query;
}

static void test_each_filter_narrows(void **state) {
        static const struct {
                LetterField field;
                const char *value, *ids;
        } cases[] = {
                { LETTER_REASON, "bad_json", " 10 8 6 4 2" },
                { LETTER_REASON, "bad_json,out_of_range", " 10 9 8 7 6 5 4 3 2 1" },
                { LETTER_REASON, "no_route", "" },
                { LETTER_TOPIC, "ems/+/telemetry", " 10 9 8 7 6 5 4 3 2 1" },
                { LETTER_TOPIC, "ems/d1/#", " 10 7 4 1" },
                { LETTER_TOPIC, "ems/d1", "" },
                { LETTER_ROUTE, "telemetry", " 10 9 8 7 6 5 4 3" },
                { LETTER_ROUTE, "", " 2 1" },
                { LETTER_DEVICE, "d2", " 8 5 2" },
                { LETTER_FROM, "2025-10-18T12:09:00Z", " 10 9" },
                { LETTER_TO, "2025-10-18T12:03:00Z", " 2 1" },
                { LETTER_FROM, "24h", " 10 9 8 7 6 5 4 3 2 1" },
                { LETTER_FROM, "23h", "" },
                { LETTER_LIMIT, "2", " 10 9" },
                { LETTER_CURSOR, "3", " 2 1" },
        };

        (void)state;
        letters_open();
        for (size_t i = 0; i < N_ELEMENTS(cases); ++i) {
                LetterQuery query = ask(cases[i].field, cases[i].value);

                (void)check_ids(&query, cases[i].ids);
        }
        db_conn_free(conn);
}

/* What comes in meanwhile is no reason to miss one, or to see one twice. */
static void test_pages_go_on_where_the_last_one_ended(void **state) {
        LetterQuery query = LETTER_QUERY_INIT(4, 1000);

        (void)state;
        letters_open();
        query.before_id = check_ids(&query, " 10 9 8 7");
        assert_int_equal(query.before_id, 7);
        postgres_run("INSERT INTO dead_letters (seq, received_at, journal_id, reason, topic,"
                     " payload) VALUES (1, '2025-10-18 12:00+00', 1, 'bad_json', 'x', '')");
        query.before_id = check_ids(&query, " 6 5 4 3");
        assert_int_equal(query.before_id, 3);
        query.before_id = check_ids(&query, " 2 1");
        assert_int_equal(query.before_id, 0);
        query.before_id = 5;
        assert_int_equal(check_ids(&query, " 4 3 2 1"), 0); /* as many as fit, and no more */
        db_conn_free(conn);
}

static void check_json(const LetterQuery *query, const char *expected) {
        CLEANUP_BUF Buf body = { 0 };

        assert_int_equal(db_letter_rows_json(conn, query, &body), 0);
        assert_string_equal(body.data, expected);
}

static void test_groups_are_by_what_is_named_most_first(void **state) {
        LetterQuery query = ask(LETTER_BY, "route");

        (void)state;
        letters_open();
        check_json(&query,
                   "{\"items\":[{\"count\":8,\"bytes\":16,\"newest_id\":10,\"first\":"
                   "\"2025-10-18T12:03:00.000Z\",\"last\":\"2025-10-18T12:10:00.000Z\",\"route\":"
                   "\"telemetry\"},{\"count\":2,\"bytes\":4,\"newest_id\":2,\"first\":"
                   "\"2025-10-18T12:01:00.000Z\",\"last\":\"2025-10-18T12:02:00.000Z\",\"route\":"
                   "null}],\"cursor\":null,\"more\":false}");
        query = ask(LETTER_BY, "device,detail");
        query.limit = 1;
        query.reasons = 1u << REASON_BAD_JSON;
        check_json(&query,
                   "{\"items\":[{\"count\":2,\"bytes\":4,\"newest_id\":10,\"first\":"
                   "\"2025-10-18T12:04:00.000Z\",\"last\":\"2025-10-18T12:10:00.000Z\",\"device\":"
                   "\"d1\",\"detail\":\"detail 0\"}],\"cursor\":null,\"more\":true}");
        db_conn_free(conn);
}

static void test_a_page_is_json(void **state) {
        LetterQuery query = LETTER_QUERY_INIT(1, 1000);

        (void)state;
        letters_open();
        check_json(&query,
                   "{\"items\":[{\"id\":10,\"received\":\"2025-10-18T12:10:00.000Z\",\"reason\":"
                   "\"bad_json\",\"detail\":\"detail 0\",\"topic\":\"ems/d1/telemetry\",\"route\":"
                   "\"telemetry\",\"device\":\"d1\",\"item\":3,\"bytes\":2}],\"cursor\":\"10\","
                   "\"more\":true}");
        postgres_run("DELETE FROM dead_letters");
        check_json(&query, "{\"items\":[],\"cursor\":null,\"more\":false}");
        db_conn_free(conn);
}

static void check_payload(int64_t id, const char *expected) {
        CLEANUP_BUF Buf body = { 0 };
        const char *found;

        assert_int_equal(db_letter_row_json(conn, id, &body), 0);
        found = strstr(body.data, ",\"bytes\":");
        assert_non_null(found);
        assert_string_equal(strchr(found + 1, ','), expected);
}

static void test_one_has_its_payload_whatever_the_bytes_are(void **state) {
        CLEANUP_BUF Buf body = { 0 };

        (void)state;
        letters_open();
        check_payload(1, ",\"payload\":\"{}\"}");
        postgres_run("UPDATE dead_letters SET payload = 'ü\"' WHERE id = 1");
        check_payload(1, ",\"payload\":\"ü\\\"\"}");
        postgres_run("UPDATE dead_letters SET payload = '\\x00' WHERE id = 1");
        check_payload(1, ",\"payload_base64\":\"AA==\"}");
        postgres_run("UPDATE dead_letters SET payload = '\\x61c3' WHERE id = 1");
        check_payload(1, ",\"payload_base64\":\"YcM=\"}");
        postgres_run("UPDATE dead_letters SET payload = '\\xffffff' WHERE id = 1");
        check_payload(1, ",\"payload_base64\":\"////\"}");
        postgres_run("UPDATE dead_letters SET payload = '' WHERE id = 1");
        check_payload(1, ",\"payload\":\"\"}");
        assert_int_equal(db_letter_row_json(conn, 11, &body), DB_E_NOT_FOUND);
        db_conn_free(conn);
}

/* Of every filter PostgreSQL finds what MQTT would deliver. */
static void test_topics_match_as_a_broker_matches_them(void **state) {
        static const char *const topics[] = {
                "a",      "a/",  "a/b",  "a/b/c",  "/a",     "/",        "//",
                "$SYS/a", "a.b", "axb",  "a\\b",   "a/$x",   "a/(b)|c^", "[a]{2}",
                "a*b?",   "ü/é", "a/bc", "a/b/c/", "a\nb/c",
        };
        static const char *const filters[] = {
                "#",    "+",      "+/+", "a/#",  "a/+",   "a/+/#",    "+/b/#",
                "/+",   "/#",     "+/",  "a.b",  "a\\b",  "a/(b)|c^", "[a]{2}",
                "a*b?", "$SYS/#", "ü/+", "a/$x", "a/+/c",
        };

        (void)state;
        letters_open();
        postgres_run("DELETE FROM dead_letters");
        for (size_t i = 0; i < N_ELEMENTS(topics); ++i) {
                char sql[256];

                snprintf(sql,
                         sizeof(sql),
                         "INSERT INTO dead_letters (id, seq, received_at, journal_id, reason, "
                         "topic,"
                         " payload) VALUES (%zu, 1, '2025-10-18 12:00+00', 1, 'bad_json', $$%s$$,"
                         " '')",
                         i + 1,
                         topics[i]);
                postgres_run(sql);
        }
        for (size_t k = 0; k < N_ELEMENTS(filters); ++k) {
                LetterQuery query = ask(LETTER_TOPIC, filters[k]);
                CLEANUP_BUF Buf expected = { 0 };

                for (size_t i = N_ELEMENTS(topics); i > 0; --i)
                        if (topic_filter_takes(filters[k], text_of(topics[i - 1])))
                                buf_printf(&expected, " %zu", i);
                (void)check_ids(&query, expected.n ? expected.data : "");
        }
        db_conn_free(conn);
}

static void test_notes_are_found_in_the_same_way(void **state) {
        LetterQuery query = LETTER_QUERY_INIT(1, 1000);
        char said[LETTER_SAID_SIZE];

        (void)state;
        letters_open();
        postgres_run("INSERT INTO devices (code) VALUES ('d1'); INSERT INTO vehicles (code) VALUES"
                     " ('v1'); INSERT INTO row_notes (seq, received_at, journal_id, kind, topic,"
                     " device_id, vehicle_id, member, reason, detail) SELECT 100 + i, timestamptz"
                     " '2025-10-18 12:00+00' + i * interval '1 minute', 1, 'telemetry', 'a/b',"
                     " CASE WHEN i < 3 THEN 1 END, 1, '/m' || i, 'wrong_type', 'not a number'"
                     " FROM generate_series(1, 3) i");
        query.is_notes = true;
        check_json(&query,
                   "{\"items\":[{\"id\":3,\"received\":\"2025-10-18T12:03:00.000Z\",\"reason\":"
                   "\"wrong_type\",\"detail\":\"not a number\",\"topic\":\"a/b\",\"route\":null,"
                   "\"device\":\"v1\",\"member\":\"/m3\",\"kind\":\"telemetry\",\"seq\":\"103\"}],"
                   "\"cursor\":\"3\",\"more\":true}");
        assert_true(letter_query_set(&query, LETTER_DEVICE, TEXT("d1"), NOON, said));
        query.limit = 10;
        assert_int_equal(check_ids(&query, " 2 1"), 0);
        assert_true(letter_query_set(&query, LETTER_BY, TEXT("member,device"), NOON, said));
        query.limit = 1;
        check_json(&query,
                   "{\"items\":[{\"count\":1,\"newest_id\":1,\"first\":"
                   "\"2025-10-18T12:01:00.000Z\",\"last\":\"2025-10-18T12:01:00.000Z\",\"device\":"
                   "\"d1\",\"member\":\"/m1\"}],\"cursor\":null,\"more\":true}");
        db_conn_free(conn);
}

int main(void) {
        const struct CMUnitTest tests[] = {
                cmocka_unit_test(test_each_filter_narrows),
                cmocka_unit_test(test_pages_go_on_where_the_last_one_ended),
                cmocka_unit_test(test_groups_are_by_what_is_named_most_first),
                cmocka_unit_test(test_a_page_is_json),
                cmocka_unit_test(test_one_has_its_payload_whatever_the_bytes_are),
                cmocka_unit_test(test_topics_match_as_a_broker_matches_them),
                cmocka_unit_test(test_notes_are_found_in_the_same_way),
        };

        return cmocka_run_group_tests(tests, NULL, NULL);
}
