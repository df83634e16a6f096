/*
 * Answers: what a database may say to the questions of the viewers, of the registry and of the
 * start. The first byte says what is asked, the rest are the answers (tests/fake/answers.h):
 * whatever is in them, nothing crashes, and what is made of it can be shown.
 */

#include <stdio.h>
#include <string.h>

#include "base/arena.h"
#include "base/log.h"
#include "db/edit/admin.h"
#include "db/edit/command_rows.h"
#include "db/edit/letters.h"
#include "db/edit/login.h"
#include "db/follow/directory.h"
#include "db/follow/registration.h"
#include "db/migrate.h"
#include "db/pooler.h"
#include "db/read/letter_rows.h"
#include "db/read/reading.h"
#include "db/read/statistics.h"
#include "db/read/survey.h"
#include "db/write/books.h"
#include "db/write/notes.h"
#include "db/write/partitions.h"
#include "db/write/slots.h"
#include "db/write/tidy.h"
#include "gateway/memory/sensors.h"
#include "gateway/read/answer_once.h"
#include "model/event.h"
#include "tests/fake/answers.h"
#include "tests/fuzz/fuzz.h"
#include "ws/loop/loop.h"
#include "ws/viewer/push.h"

#define MAX_INPUT 8192
#define EPOCH     "0123456789abcdef"
#define N_PIECES  8

static DbConn *conn;
static Text said; /* by the database, to each that asks */

/* ---- questions of viewers ---- */

static Query *make_query(QueryKind kind) {
        Query *query = NULL;

        FUZZ_CHECK(query_new(&query, kind) == 0);
        query->user_ids = calloc(2, sizeof(*query->user_ids));
        query->n_user_ids = kind == QUERY_DETECTION_STATS || kind == QUERY_CAMERA_STATS ? 2 : 1;
        query->username = strdup("ana");
        query->password = strdup("p");
        query->command_id = strdup("cmd_1");
        query->action = strdup("a");
        query->minutes = 5;
        query->device_id = 1;
        query->max_pending = query->max_own = 10;
        if (kind == QUERY_REPLAY) {
                query->replay = calloc(1, sizeof(*query->replay));
                FUZZ_CHECK(query->replay);
                *query->replay = (QueryReplay){ .epoch = EPOCH,
                                                .own_epoch = EPOCH,
                                                .is_first = true,
                                                .after_seq = 1,
                                                .upto_seq = UINT64_MAX,
                                                .kinds = UINT32_MAX,
                                                .all_vehicles = true,
                                                .all_devices = true,
                                                .limit = 100 };
        }
        FUZZ_CHECK(query->user_ids && query->username && query->password && query->action);
        return query;
}

/* As the native protocol shows it. */
static void show(const Answer *answer) {
        static WsLoop loop;
        static Registry *registry;

        if (!registry)
                FUZZ_CHECK(registry_new(&registry) == 0 && ws_loop_init(&loop, registry) == 0);
        for (size_t i = 0; i < answer->n_events; ++i) {
                CLEANUP_BUF Buf text = { 0 };

                ws_push_event(&loop, answer->events[i], &(JsonOut){ .buf = &text });
                FUZZ_CHECK(!buf_failed(&text));
        }
}

static void answer_to(Query *query) {
        QueryKind kind = query->kind;
        DbLogin login = { 0 };
        Answer *answer = NULL;
        int r;

        FUZZ_CHECK(answer_new(&answer, query) == 0);
        if (kind == QUERY_LOGIN) /* without the hash, which is made to take its time */
                r = db_login_find(conn, "ana", &login);
        else
                r = answer_once_ask(conn, NULL, query, answer);
        FUZZ_CHECK(r >= 0);
        if (r == 0)
                show(answer);
        db_login_done(&login);
        answer_free(answer);
        query_free(query);
}

static void ask(QueryKind kind) {
        if (kind != QUERY_MANAGE) {
                answer_to(make_query(kind));
                return;
        }
        for (int i = 0; i < MANAGE_COUNT; ++i) {
                Query *query = make_query(kind);

                FUZZ_CHECK(manage_query_new(&query->manage, (ManageKind)i) == 0);
                fake_answers_set(said);
                answer_to(query);
        }
}

static void read_history(HistoryKind kind, bool has_cursor) {
        History history = { .kind = kind,
                            .vehicle_id = 1,
                            .device_id = 1,
                            .kinds = UINT32_MAX,
                            .from_us = CLOCK_UNKNOWN,
                            .to_us = CLOCK_UNKNOWN,
                            .limit = 5,
                            .interval_us = 60000000,
                            .is_descending = has_cursor,
                            .tolerance_m = has_cursor ? 5 : 0 };
        DbReading *reading = NULL;
        bool is_last = false;

        if (has_cursor) {
                FUZZ_CHECK(history_cursor_parse(EPOCH ":5:1", &history.cursor) == 0);
                history.from_us = 1;
                history.to_us = INT64_MAX;
                snprintf(history.alert_type, sizeof(history.alert_type), "fire");
        }
        if (db_reading_new(&reading, conn, &history) != 0)
                return;
        for (int i = 0; i < N_PIECES && !is_last; ++i) {
                CLEANUP_BUF Buf body = { 0 };

                if (db_reading_next(reading, &body, &is_last) != 0)
                        break;
                FUZZ_CHECK(!buf_failed(&body));
        }
        db_reading_free(reading);
}

/* ---- the registry ---- */

static void check_directory(void) {
        DbDirectory *directory = NULL;
        RegistryDelta *whole = NULL, *delta = NULL, *found = NULL;
        Registry *registry = NULL;
        bool narrowed;

        FUZZ_CHECK(registry_new(&registry) == 0);
        FUZZ_CHECK(db_directory_new(&directory, conn, NULL) == 0);
        if (db_directory_open(directory, &whole) == 0)
                FUZZ_CHECK(registry_apply(registry, whole, &narrowed) == 0);
        if (db_directory_poll(directory, &delta) == 0 && delta)
                FUZZ_CHECK(registry_apply(registry, delta, &narrowed) == 0);
        (void)db_directory_is_behind(directory);
        (void)db_directory_differs(directory);
        (void)!db_directory_sync(directory);
        if (db_directory_find(conn, "dev-1", &found) == 0)
                FUZZ_CHECK(registry_apply(registry, found, &narrowed) == 0);
        found = registry_delta_unref(found);
        if (db_directory_find_all(conn, "[]", &found) == 0)
                FUZZ_CHECK(registry_apply(registry, found, &narrowed) == 0);
        whole = registry_delta_unref(whole);
        if (db_directory_load(conn, &whole) == 0)
                FUZZ_CHECK(registry_apply(registry, whole, &narrowed) == 0);
        registry_delta_unref(found);
        registry_delta_unref(whole);
        registry_delta_unref(delta);
        db_directory_free(directory);
        registry_free(registry);
}

static void on_restored(void *arg, const Record *record) {
        (void)arg;
        for (size_t i = 0; i < record->data.n; ++i)
                FUZZ_CHECK(record->data.data[i] != '\0');
}

static void check_restored(void) {
        Arena *arena = NULL;

        FUZZ_CHECK(arena_new(&arena, 65536) == 0);
        FUZZ_CHECK(db_directory_restore(conn, arena, on_restored, NULL) >= 0);
        arena_free(arena);
}

/* ---- the others ---- */

static void on_command(void *arg, const DbCommand *command) {
        size_t *n = arg;

        FUZZ_CHECK(command->command_id && command->action);
        ++*n;
}

static int on_alert(void *arg, const char *said_of_it) {
        size_t *n = arg;

        FUZZ_CHECK(said_of_it);
        ++*n;
        return 0;
}

static void check_commands(void) {
        CLEANUP_BUF Buf ids = { 0 };
        bool has_more, has_beat;
        size_t n = 0;

        FUZZ_CHECK(db_command_rows_listen(conn) >= 0);
        FUZZ_CHECK(db_command_rows_hear(conn, &ids, &has_more, &has_beat, on_alert, &n) >= 0);
        FUZZ_CHECK(db_command_rows_named(conn, "{}", on_command, &n) >= 0);
        FUZZ_CHECK(db_command_rows_waiting(conn, "", 5, on_command, &n) >= 0);
        FUZZ_CHECK(db_command_rows_claim(conn, EPOCH, false, 5, on_command, &n) >= 0);
        FUZZ_CHECK(db_command_rows_claim(conn, EPOCH, true, 5, on_command, &n) >= 0);
        FUZZ_CHECK(db_command_rows_overdue(conn, 5, on_command, &n) >= 0);
        FUZZ_CHECK(db_command_rows_release(conn, EPOCH) >= 0);
        FUZZ_CHECK(db_command_rows_published(conn, "{}") >= 0);
        FUZZ_CHECK(db_command_rows_revoke(conn) >= 0);
}

static int on_number(void *arg, uint64_t seq) {
        (void)arg, (void)seq;
        return 0;
}

static void check_books(void) {
        const DbRange range = { .last_seq = 10, .to_us = INT64_MAX };
        const Record record = { .kind = KIND_COMMAND_ACK,
                                .device_id = 1,
                                .ack = { .command_id = TEXT("cmd_1") } };
        DbBooks books;
        bool knows;
        uint64_t n;

        if (db_books_read(conn, EPOCH, &books) == 0) {
                (void)!db_books_check(conn, EPOCH, &books, 5);
                (void)!db_books_skip(conn, EPOCH, &books);
        }
        (void)!db_books_note_gap(conn, EPOCH, 1, 2);
        (void)!db_books_knows_news(conn, &record, &knows);
        (void)!db_books_adopt(conn, EPOCH, 0);
        (void)!db_books_adopt(conn, EPOCH, 5);
        (void)!db_books_settle(conn, EPOCH, 0, 10, "accepted", &n);
        (void)!db_books_present(conn, EPOCH, &range, on_number, NULL);
        (void)!db_books_newest(conn, EPOCH, 0, &n);
}

static void check_slot(void) {
        const DbSlotClaim claim = { .holder = { .instance = "i" },
                                    .epoch = EPOCH,
                                    .place = "p",
                                    .host = "h",
                                    .client_id = "c" };
        DbSlot slot;

        if (db_slots_hold(conn, &claim, &slot) == 0)
                FUZZ_CHECK(strnlen(slot.client_id, DB_SLOTS_TEXT_SIZE) < DB_SLOTS_TEXT_SIZE);
        (void)!db_slots_release(conn, &claim.holder, true);
}

static void on_outcome(void *arg, int64_t letter_id, bool is_claimed, Text outcome) {
        size_t *n = arg;

        (void)letter_id, (void)is_claimed;
        *n += outcome.n;
}

static void on_letter(void *arg, const DbDeadLetter *letter) {
        size_t *n = arg;

        FUZZ_CHECK(letter->topic && letter->reason);
        *n += letter->payload.n;
}

static void on_letter_row(void *arg, const DbLetterRow *row) {
        size_t *n = arg;

        *n += row->payload.n;
}

static void check_letters(void) {
        LetterQuery query = LETTER_QUERY_INIT(5, 5);
        CLEANUP_BUF Buf body = { 0 };
        bool exists;
        int64_t cursor, after = 0;
        size_t n = 0;

        FUZZ_CHECK(db_letters_request(conn, "{1}") >= 0);
        FUZZ_CHECK(db_letters_outcomes(conn, "{1}", on_outcome, &n) >= 0);
        FUZZ_CHECK(db_letters_claim(conn, EPOCH, "s", &after, on_letter, &n) >= 0);
        FUZZ_CHECK(db_letters_refuse(conn, 1, "gone") >= 0);
        FUZZ_CHECK(db_letters_exists(conn, 1, 1, &exists) >= 0);
        FUZZ_CHECK(db_letters_withdraw(conn, "{1}") >= 0);
        FUZZ_CHECK(db_letters_forget(conn, "{1}") >= 0);
        FUZZ_CHECK(db_letter_rows(conn, &query, on_letter_row, &n, &cursor) >= 0);
        FUZZ_CHECK(db_letter_row(conn, 1, on_letter_row, &n) >= 0);
        FUZZ_CHECK(db_letter_rows_json(conn, &query, &body) >= 0);
        query.is_notes = true;
        FUZZ_CHECK(db_letter_rows_json(conn, &query, &body) >= 0);
        query.by = 1u << LETTER_BY_DETAIL;
        FUZZ_CHECK(db_letter_rows_json(conn, &query, &body) >= 0);
}

static void check_upkeep(void) {
        static const DbRetention retention[] = { { .table = "alerts", .days = 5 },
                                                 { .table = "raw_logs" } };
        DbRetentionDay day;
        int n_dropped, from, to;

        FUZZ_CHECK(db_migrate_check(conn) >= 0);
        if (db_migrate_up(conn, &from, &to) == 0)
                FUZZ_CHECK(from <= to && to == db_migrate_latest());
        FUZZ_CHECK(db_pooler_check(conn, conn) >= 0);
        FUZZ_CHECK(db_partitions_make(conn, 0, 0) >= 0);
        FUZZ_CHECK(db_partitions_make_today(conn) >= 0);
        if (db_partitions_judge(conn, 0, true, &day) == 0 && day.day_us != CLOCK_UNKNOWN)
                FUZZ_CHECK(db_partitions_drop(conn, retention, 2, day.day_us, &n_dropped) >= 0);
}

static void check_registrations(void) {
        const DbRegistration registration = { .code = TEXT("dev-1"),
                                              .name = TEXT("n"),
                                              .user_id = 1 };
        CLEANUP_BUF Buf list = { 0 };
        RegistryDelta *delta = NULL, *all = NULL;
        Registry *registry = NULL;
        bool narrowed;

        FUZZ_CHECK(registry_new(&registry) == 0);
        if (db_register_device(conn, &registration, &delta) == 0)
                FUZZ_CHECK(registry_apply(registry, delta, &narrowed) == 0);
        buf_append_char(&list, '[');
        db_registration_add(&list, &registration);
        buf_append_char(&list, ']');
        buf_append_char(&list, '\0');
        FUZZ_CHECK(!buf_failed(&list));
        if (db_register_devices(conn, list.data, &all) == 0)
                FUZZ_CHECK(registry_apply(registry, all, &narrowed) == 0);
        registry_delta_unref(delta);
        registry_delta_unref(all);
        registry_free(registry);
}

static void check_news(void) {
        Record records[2] = { { .kind = KIND_COMMAND_ACK, .seq = 1, .received_us = 2 },
                              { .kind = KIND_COMMAND_STATE, .seq = 2, .received_us = 1 } };
        Record *const batch[] = { &records[0], &records[1] };

        FUZZ_CHECK(db_notes_recall(conn, 1, batch, 2) >= 0);
}

static int on_birth(void *arg, Text thing, uint64_t seq, Text payload) {
        Buf *seen = arg;

        buf_append_text(seen, thing);
        buf_append_text(seen, payload);
        return seq == UINT64_MAX && buf_failed(seen) ? -ENOMEM : 0;
}

static int on_merged(void *arg, int64_t device_id, uint64_t seq, Text payload) {
        Buf *seen = arg;

        buf_append_text(seen, payload);
        return device_id == INT64_MAX && seq == UINT64_MAX && buf_failed(seen) ? -ENOMEM : 0;
}

static int on_sensor(void *arg, int64_t vehicle_id, int32_t sensor_id) {
        return sensors_add(arg, vehicle_id, sensor_id, 0);
}

static void on_group(void *arg, const DbLetterGroup *group) {
        (void)arg;
        FUZZ_CHECK(group->reason && group->topic && group->name);
}

/* What others make grow: how much there is of it, and what goes. */
static void check_growth(void) {
        const int64_t vehicle_ids[] = { 1, 2 };
        const DbTidyDays days = { .commands = 30 };
        CLEANUP_BUF Buf births = { 0 };
        Sensors *sensors = NULL;
        DbSurvey survey;
        int64_t n_deleted;

        FUZZ_CHECK(sensors_new(&sensors, 3) == 0);
        FUZZ_CHECK(db_directory_sensors(conn, vehicle_ids, 2, on_sensor, sensors) >= 0);
        FUZZ_CHECK(db_directory_sensors(conn, NULL, 0, on_sensor, sensors) >= 0);
        FUZZ_CHECK(db_directory_births(conn, on_birth, &births) >= 0);
        FUZZ_CHECK(db_directory_merged(conn, on_merged, &births) >= 0);
        sensors_free(sensors);
        FUZZ_CHECK(db_survey(conn, &survey) >= 0);
        FUZZ_CHECK(db_survey_letters(conn, NULL, 10, on_group, NULL) >= 0);
        FUZZ_CHECK(db_tidy(conn, INT64_C(1800000000000000), &days, &n_deleted) >= 0);
}

static void check(char what) {
        if (what >= 'A' && what < 'A' + 2 * (HISTORY_ALERTS + 1))
                read_history((HistoryKind)((what - 'A') / 2), (what - 'A') % 2);
        else if (what >= 'a' && what <= 'a' + QUERY_REPLAY)
                ask((QueryKind)(what - 'a'));
        else if (what == '0')
                check_directory();
        else if (what == '1')
                check_restored();
        else if (what == '2')
                check_books();
        else if (what == '3')
                check_slot();
        else if (what == '4')
                check_commands();
        else if (what == '5')
                check_letters();
        else if (what == '6')
                check_upkeep();
        else if (what == '7')
                check_registrations();
        else if (what == '8')
                check_news();
        else if (what == '9')
                check_growth();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
        if (n == 0 || n > MAX_INPUT)
                return 0;
        log_set_level((LogLevel)-1);
        if (!conn)
                FUZZ_CHECK(db_conn_new(&conn, &(DbConnOptions){ 0 }) == 0);
        said = (Text){ (const char *)data + 1, n - 1 };
        fake_answers_set(said);
        check((char)data[0]);
        return 0;
}
