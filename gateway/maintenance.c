#include "gateway/maintenance.h"

#include <poll.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/read/survey.h"
#include "db/write/rollups.h"
#include "db/write/sums.h"
#include "db/write/tidy.h"
#include "model/metrics.h"

enum {
        MAINTENANCE_CONNECT_MS = 5000,
        MAINTENANCE_STATEMENT_MS = 60000,
        MAINTENANCE_SUMS_MS = 30000, /* of counting, before others have their turn again */
};

#define MAINTENANCE_PERIOD_US INT64_C(3600000000)
#define MAINTENANCE_RETRY_US  INT64_C(60000000)
/* An hour is counted a minute after it is over, and clocks may be some seconds apart. */
#define MAINTENANCE_HOUR_LAG_US INT64_C(65000000)
#define MAINTENANCE_FIRST_US    INT64_C(1000000) /* until the schema is there, on a first start */

struct Maintenance {
        pthread_t thread;
        bool has_thread;
        int stop_fd;
        DbConn *conn;
        MaintenanceOptions options;
        DbRetention *retention;
        bool is_reported;      /* that it could not be done */
        DbRetentionDay day;    /* what was judged last */
        int64_t held_since_us; /* monotonic: since when retention waits; 0: it does not */
        bool has_more_sums;
        bool is_uncounted_said[2]; /* that a day could not be counted, of DbSumsOf */
        bool was_surveyed;
        DbSurvey survey;      /* the last one */
        bool is_people_said;  /* that names are not counted */
        bool is_letters_said; /* that there are many */
};

/* Retention that does not trust the clocks says so once, and once that it does again. */
static void maintenance_note(Maintenance *maintenance, const DbRetentionDay *day, int64_t now_us) {
        bool was_held = *maintenance->day.held != '\0';
        bool is_held = *day->held != '\0';
        char ours[CLOCK_TEXT_SIZE], theirs[CLOCK_TEXT_SIZE];

        clock_format(now_us, ours);
        clock_format(day->now_us, theirs);
        if (is_held && strcmp(maintenance->day.held, day->held) != 0)
                log_warning("retention_held reason=%s gateway=%s database=%s "
                            "hint=\"nothing is dropped: set the clocks right, or see Retention in "
                            "operations.md\"",
                            day->held,
                            ours,
                            theirs);
        else if (was_held && !is_held)
                log_info("retention_goes_on database=%s", theirs);
        /* A jump that has lasted is given one day, and then has to last again. */
        if (!is_held)
                maintenance->held_since_us = 0;
        else if (!was_held || day->day_us != CLOCK_UNKNOWN)
                maintenance->held_since_us = clock_mono_us();
        metric_set(METRIC_RETENTION_HELD, is_held);
        maintenance->day = *day;
}

static bool maintenance_is_patient(const Maintenance *maintenance) {
        return maintenance->held_since_us != 0 &&
               clock_mono_us() - maintenance->held_since_us >=
                       maintenance->options.hold_ms * INT64_C(1000);
}

/* What has no days of its own. */
static int maintenance_tidy(Maintenance *maintenance, int64_t day_us) {
        const MaintenanceOptions *options = &maintenance->options;
        DbTidyDays days = { 0 };
        int64_t n_deleted = 0;
        int r;

        for (size_t i = 0; i < options->n_retention; ++i) {
                if (strcmp(maintenance->retention[i].table, "commands") == 0)
                        days.commands = maintenance->retention[i].days;
                else if (strcmp(maintenance->retention[i].table, "row_notes") == 0)
                        days.notes = maintenance->retention[i].days;
        }
        r = db_tidy(maintenance->conn, day_us, &days, &n_deleted);
        metric_add(METRIC_TIDIED, n_deleted);
        return r < 0 ? err_up(r) : r;
}

/* After all else, as it may take long. What is not counted is read from its rows: no reason to come
 * back sooner than in an hour. */
static int maintenance_count(Maintenance *maintenance, DbSumsOf of) {
        static const char *const names[] = {
                [DB_SUMS_DETECTIONS] = "detections", [DB_SUMS_PAGES] = "pages"
        };
        DbSums sums;
        int r;

        r = db_sums_count(maintenance->conn, of, MAINTENANCE_SUMS_MS, &sums);
        maintenance->has_more_sums = maintenance->has_more_sums || sums.has_more;
        if (sums.n_days > 1)
                log_info("%s_counted days=%lld", names[of], (long long)sums.n_days);
        if (r == DB_E_REJECTED && !maintenance->is_uncounted_said[of])
                log_warning("%s_not_counted sqlstate=%s error=\"%s\" hint=\"statistics read the "
                            "rows of such a day\"",
                            names[of],
                            db_conn_sqlstate(maintenance->conn),
                            db_conn_error(maintenance->conn));
        maintenance->is_uncounted_said[of] = r == DB_E_REJECTED;
        if (r == DB_E_REJECTED)
                return 0;
        return r < 0 ? err_up(r) : r;
}

/* After the sums of detections, with a time of its own. */
static int maintenance_roll_up(Maintenance *maintenance) {
        DbRollups rollups;
        int r;

        r = db_rollups_make(maintenance->conn, MAINTENANCE_SUMS_MS, &rollups);
        maintenance->has_more_sums = maintenance->has_more_sums || rollups.has_more;
        if (rollups.n_skipped > 0 || r == DB_E_REJECTED)
                log_warning("series_not_counted things=%lld hint=\"charts read the rows of such a "
                            "thing and day\"",
                            (long long)rollups.n_skipped);
        if (r == DB_E_REJECTED)
                return 0;
        return r < 0 ? err_up(r) : r;
}

/* The days are the database's: with a wrong clock ours would be as wrong. */
static int maintenance_work(Maintenance *maintenance, int *ret_n_dropped) {
        int64_t now_us = clock_now_us();
        DbRetentionDay day;
        int r;

        r = db_conn_connect_wait(maintenance->conn, MAINTENANCE_CONNECT_MS);
        if (r == 0)
                r = db_partitions_judge(maintenance->conn,
                                        now_us,
                                        maintenance_is_patient(maintenance),
                                        &day);
        if (r != 0)
                return r < 0 ? err_up(r) : r;

        maintenance_note(maintenance, &day, now_us);
        r = db_partitions_make(maintenance->conn,
                               day.now_us,
                               day.now_us + maintenance->options.days_ahead * CLOCK_DAY_US);
        if (r == 0 && day.day_us != CLOCK_UNKNOWN)
                r = db_partitions_drop(maintenance->conn,
                                       maintenance->retention,
                                       maintenance->options.n_retention,
                                       day.day_us,
                                       ret_n_dropped);
        if (r == 0 && day.day_us != CLOCK_UNKNOWN)
                r = maintenance_tidy(maintenance, day.day_us);
        maintenance->has_more_sums = false;
        if (r == 0)
                r = maintenance_count(maintenance, DB_SUMS_DETECTIONS);
        if (r == 0)
                r = maintenance_count(maintenance, DB_SUMS_PAGES);
        if (r == 0)
                r = maintenance_roll_up(maintenance);
        return r < 0 ? err_up(r) : r;
}

static bool maintenance_is_stopped(const Maintenance *maintenance, int timeout_ms) {
        struct pollfd fd = { .fd = maintenance->stop_fd, .events = POLLIN };

        return poll(&fd, 1, timeout_ms) > 0;
}

/* Once; true if it was all done. Between two times no connection is kept. */
static bool maintenance_once(Maintenance *maintenance, bool is_quiet) {
        int n_dropped = 0;
        int r;

        r = maintenance_work(maintenance, &n_dropped);
        if (n_dropped > 0)
                log_info("partitions_dropped n=%d", n_dropped);
        if (r != 0 && !maintenance->is_reported && !is_quiet &&
            !maintenance_is_stopped(maintenance, 0)) {
                log_warning("maintenance_failed sqlstate=%s error=\"%s\"",
                            db_conn_sqlstate(maintenance->conn),
                            db_conn_error(maintenance->conn));
                maintenance->is_reported = true;
        }
        if (r == 0)
                maintenance->is_reported = false;
        db_conn_disconnect(maintenance->conn);
        return r == 0;
}

/* Until the next time: when an hour can be counted, or the change of the day; a clock may be set
 * right at any time. */
static int64_t maintenance_pause_us(const Maintenance *maintenance) {
        int64_t now_us = clock_now_us();
        int64_t to_midnight_us = CLOCK_DAY_US - now_us % CLOCK_DAY_US;
        int64_t to_hour_us =
                MAINTENANCE_PERIOD_US - (now_us - MAINTENANCE_HOUR_LAG_US) % MAINTENANCE_PERIOD_US;

        if (maintenance->held_since_us != 0 || maintenance->has_more_sums)
                return MAINTENANCE_RETRY_US;
        return to_midnight_us < to_hour_us ? to_midnight_us : to_hour_us;
}

/* The number is the database's, and goes on from where it was before we started. */
static void maintenance_note_people(Maintenance *maintenance, const DbSurvey *survey) {
        bool is_growing = maintenance->was_surveyed &&
                          survey->n_people_refused > maintenance->survey.n_people_refused;

        metric_set(METRIC_PEOPLE, survey->n_people);
        metric_set(METRIC_PEOPLE_REFUSED, survey->n_people_refused);
        if (is_growing && !maintenance->is_people_said)
                log_warning("people_full device_id=%lld refused=%lld hint=\"new names are not "
                            "counted, their events are stored: registry.max_people\"",
                            (long long)survey->full_camera,
                            (long long)survey->n_people_refused);
        maintenance->is_people_said = is_growing;
}

/* Nothing is dropped for its number: it was acknowledged. Somebody should look why they are many;
 * around the threshold that is not said again and again. */
static void maintenance_note_letters(Maintenance *maintenance, const DbSurvey *survey) {
        int64_t n_many = maintenance->options.many_letters;
        bool is_many = n_many > 0 && survey->n_letters > n_many;

        metric_set(METRIC_LETTERS, survey->n_letters);
        metric_set(METRIC_LETTERS_BYTES, survey->letter_bytes);
        if (is_many && !maintenance->is_letters_said)
                log_warning("dead_letters_many letters=%lld bytes=%lld hint=\"who makes them: "
                            "tidegate "
                            "dead-letters summary\"",
                            (long long)survey->n_letters,
                            (long long)survey->letter_bytes);
        if (!is_many && maintenance->is_letters_said && survey->n_letters > n_many * 9 / 10)
                return;
        if (!is_many && maintenance->is_letters_said)
                log_info("dead_letters_fewer letters=%lld", (long long)survey->n_letters);
        maintenance->is_letters_said = is_many;
        metric_set(METRIC_LETTERS_MANY, is_many);
}

static void maintenance_survey(Maintenance *maintenance) {
        DbSurvey survey;
        int r;

        r = db_conn_connect_wait(maintenance->conn, MAINTENANCE_CONNECT_MS);
        if (r == 0)
                r = db_survey(maintenance->conn, &survey);
        if (r == 0) {
                maintenance_note_people(maintenance, &survey);
                maintenance_note_letters(maintenance, &survey);
                for (int i = 0; i < CLOCK_VERDICTS; ++i) {
                        metric_set((Metric)(METRIC_CLOCKS + i), survey.n_clocks[i]);
                        metric_set((Metric)(METRIC_VEHICLE_CLOCKS + i), survey.n_vehicle_clocks[i]);
                }
                maintenance->survey = survey;
                maintenance->was_surveyed = true;
        }
        db_conn_disconnect(maintenance->conn);
}

static void *maintenance_run(void *arg) {
        Maintenance *maintenance = arg;
        int64_t pause_us = MAINTENANCE_FIRST_US;
        int64_t due_us;

        if (maintenance_once(maintenance, true))
                pause_us = maintenance_pause_us(maintenance);
        due_us = clock_mono_us() + pause_us;
        for (;;) {
                int64_t wait_us = due_us - clock_mono_us();

                if (wait_us > maintenance->options.survey_ms * INT64_C(1000))
                        wait_us = maintenance->options.survey_ms * INT64_C(1000);
                if (maintenance_is_stopped(maintenance,
                                           wait_us > 0 ? (int)(wait_us / 1000) + 1 : 0))
                        return NULL;
                if (clock_mono_us() >= due_us) {
                        pause_us = maintenance_once(maintenance, false)
                                           ? maintenance_pause_us(maintenance)
                                           : MAINTENANCE_RETRY_US;
                        due_us = clock_mono_us() + pause_us;
                }
                maintenance_survey(maintenance);
        }
}

int maintenance_new(Maintenance **ret_maintenance, const MaintenanceOptions *options) {
        CLEANUP(maintenance_free) Maintenance *maintenance = NULL;
        int r;

        maintenance = calloc(1, sizeof(*maintenance));
        if (!maintenance)
                return err_new(-ENOMEM);
        maintenance->options = *options;
        maintenance->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        if (maintenance->stop_fd < 0)
                return err_new(-errno);
        maintenance->retention = calloc(options->n_retention + 1, sizeof(DbRetention));
        if (!maintenance->retention)
                return err_new(-ENOMEM);
        for (size_t i = 0; i < options->n_retention; ++i)
                maintenance->retention[i] = options->retention[i];
        r = db_conn_new(&maintenance->conn,
                        &(DbConnOptions){ .url = options->database_url,
                                          .name = "maintenance",
                                          .connect_timeout_ms = MAINTENANCE_CONNECT_MS,
                                          .statement_timeout_ms = MAINTENANCE_STATEMENT_MS });
        if (r < 0)
                return err_up(r);
        db_conn_set_stop(maintenance->conn, maintenance->stop_fd);

        r = pthread_create(&maintenance->thread, NULL, maintenance_run, maintenance);
        if (r != 0)
                return err_new(-r);
        maintenance->has_thread = true;
        *ret_maintenance = TAKE(&maintenance);
        return 0;
}

Maintenance *maintenance_free(Maintenance *maintenance) {
        if (!maintenance)
                return NULL;

        if (maintenance->stop_fd >= 0)
                (void)eventfd_write(maintenance->stop_fd, 1);
        if (maintenance->has_thread)
                MUST(pthread_join(maintenance->thread, NULL));
        db_conn_free(maintenance->conn);
        free(maintenance->retention);
        if (maintenance->stop_fd >= 0)
                close(maintenance->stop_fd);
        free(maintenance);
        return NULL;
}
