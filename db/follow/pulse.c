#include "db/follow/pulse.h"

#include <inttypes.h>
#include <stdio.h>
#include <sys/random.h>

#include "base/err.h"

static const char pulse_prefix[] = "beat ";

enum {
        PULSE_TEXT_SIZE = 64,
};

struct DbPulse {
        DbConn *conn;
        int connect_timeout_ms;
        uint64_t name; /* ours, among all that beat here */
        uint64_t n_sent, n_heard;
};

int db_pulse_new(DbPulse **ret_pulse, const DbConnOptions *options) {
        CLEANUP(db_pulse_free) DbPulse *pulse = calloc(1, sizeof(*pulse));
        int r;

        if (!pulse)
                return err_new(-ENOMEM);
        if (getrandom(&pulse->name, sizeof(pulse->name), 0) != (ssize_t)sizeof(pulse->name))
                return err_new(-errno);
        pulse->connect_timeout_ms = options->connect_timeout_ms;
        r = db_conn_new(&pulse->conn, options);
        if (r != 0)
                return err_up(r);
        *ret_pulse = TAKE(&pulse);
        return 0;
}

DbPulse *db_pulse_free(DbPulse *pulse) {
        if (!pulse)
                return NULL;
        db_conn_free(pulse->conn);
        free(pulse);
        return NULL;
}

void db_pulse_set_stop(DbPulse *pulse, int fd) {
        db_conn_set_stop(pulse->conn, fd);
}

int db_pulse_beat(DbPulse *pulse) {
        char text[PULSE_TEXT_SIZE];
        const char *args[] = { text };
        int r = 0;

        if (!db_conn_is_open(pulse->conn))
                r = db_conn_connect_wait(pulse->conn, pulse->connect_timeout_ms);
        snprintf(text,
                 sizeof(text),
                 "%s%016" PRIx64 " %" PRIu64,
                 pulse_prefix,
                 pulse->name,
                 pulse->n_sent + 1);
        if (r == 0)
                r = db_conn_exec(pulse->conn,
                                 &(DbQuery){ "SELECT pg_notify('tidegate_registry', $1),"
                                             " pg_notify('tidegate_command', $1)",
                                             N_ELEMENTS(args),
                                             args },
                                 NULL);
        if (r == 0)
                ++pulse->n_sent;
        return r < 0 ? err_up(r) : r;
}

bool db_pulse_hear(DbPulse *pulse, const char *text) {
        char *end;

        if (strncmp(text, pulse_prefix, strlen(pulse_prefix)) != 0)
                return false;
        if (pulse && strtoull(text + strlen(pulse_prefix), &end, 16) == pulse->name)
                pulse->n_heard = strtoull(end, NULL, 10);
        return true;
}

bool db_pulse_is_awaited(const DbPulse *pulse) {
        return pulse->n_heard < pulse->n_sent;
}

void db_pulse_forget(DbPulse *pulse) {
        pulse->n_heard = pulse->n_sent;
}
