#include "db/write/days.h"

#include <libpq-fe.h>

#include "base/clock.h"
#include "db/write/partitions.h"

void db_days_forget(DbDays *days) {
        days->n = days->next = 0;
}

static bool days_know(const DbDays *days, int64_t day) {
        for (size_t i = 0; i < days->n; ++i)
                if (days->days[i] == day)
                        return true;
        return false;
}

static int64_t days_of(int64_t time_us) {
        int64_t day = time_us / CLOCK_DAY_US;

        return time_us % CLOCK_DAY_US < 0 ? day - 1 : day;
}

static void days_want(DbDays *days, int64_t time_us) {
        if (days_know(days, days_of(time_us)))
                return;
        for (size_t i = 0; i < days->n_new; ++i)
                if (days_of(days->new[i]) == days_of(time_us))
                        return;
        if (days->n_new < DB_DAYS_MAX) /* of more the rest is met missing, and tried again */
                days->new[days->n_new++] = time_us;
}

/* Records come in order of receipt, so nearly always this looks at one day. A letter that is one
 * again keeps its own. */
void db_days_want(DbDays *days, Record *const records[], size_t n) {
        int64_t last = INT64_MIN;

        days->n_new = 0;
        for (size_t i = 0; i < n; ++i) {
                const Record *record = records[i];

                if (record_first_us(record) != record->received_us)
                        days_want(days, record_first_us(record));
                if (days_of(record->received_us) == last)
                        continue;
                last = days_of(record->received_us);
                days_want(days, record->received_us);
        }
}

void db_days_note(DbDays *days) {
        for (size_t i = 0; i < days->n_new; ++i) {
                days->days[days->next] = days_of(days->new[i]);
                if (days->n < DB_DAYS_MAX)
                        ++days->n;
                days->next = (days->next + 1) % DB_DAYS_MAX;
        }
        days->n_new = 0;
}

bool db_days_send(const DbDays *days, DbConn *conn) {
        PGconn *pg = db_conn_pg(conn);
        bool sent = PQenterPipelineMode(pg);

        for (size_t i = 0; i < days->n_new && sent; ++i)
                sent = db_partitions_send(conn, days->new[i]);
        return sent && PQpipelineSync(pg);
}
