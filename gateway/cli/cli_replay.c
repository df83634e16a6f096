/* Replay of dead letters: asked for here, done by the gateway (db/edit/letters.h). A letter goes
 * when its message is a row, and only then. */

#include <poll.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/clock.h"
#include "db/edit/admin.h"
#include "db/edit/letters.h"
#include "gateway/cli/cli_which.h"
#include "model/record.h"

#define REPLAY_WAIT_MS 10000 /* for anything to move */
#define REPLAY_LOOK_MS 200

typedef struct Replay Replay;

struct Replay {
        Letters letters;
        size_t n_pending, n_moved, n_stored, n_gone; /* when it was looked at last */
        size_t n_by[REASON_COUNT];                   /* that are letters again; [0]: of no reason */
        bool is_last; /* this look is the last one: say what went wrong */
};

static void replay_done(Replay *replay) {
        letters_done(&replay->letters);
}

static Reason replay_reason(Text outcome) {
        for (Reason reason = REASON_NONE + 1; reason < REASON_COUNT; ++reason)
                if (text_equal(outcome, text_of(reason_name(reason))))
                        return reason;
        return REASON_NONE;
}

static void replay_on_outcome(void *arg, int64_t letter_id, bool is_claimed, Text outcome) {
        Replay *replay = arg;

        if (!outcome.data) {
                ++replay->n_pending;
                replay->n_moved += is_claimed;
                return;
        }
        ++replay->n_moved;
        if (text_equal(outcome, TEXT("stored"))) {
                ++replay->n_stored;
                return;
        }
        if (text_equal(outcome, TEXT("gone")))
                ++replay->n_gone;
        else
                ++replay->n_by[replay_reason(outcome)];
        if (replay->is_last)
                fprintf(stderr, "%lld: %.*s\n", (long long)letter_id, (int)outcome.n, outcome.data);
}

static int replay_look(Replay *replay, const char *ids) {
        replay->n_pending = replay->n_moved = replay->n_stored = replay->n_gone = 0;
        memset(replay->n_by, 0, sizeof(replay->n_by));
        return db_letters_outcomes(replay->letters.conn, ids, replay_on_outcome, replay);
}

/* Until each has an outcome, or nothing has moved for as long as we care to wait. */
static int replay_wait(Replay *replay, const char *ids) {
        int64_t moved_at_us = clock_mono_us();
        size_t n_moved = 0;
        int r;

        do {
                r = replay_look(replay, ids);
                if (replay->n_moved != n_moved)
                        moved_at_us = clock_mono_us();
                n_moved = replay->n_moved;
                if (r == 0 && replay->n_pending > 0)
                        (void)poll(NULL, 0, REPLAY_LOOK_MS);
        } while (r == 0 && replay->n_pending > 0 &&
                 clock_mono_us() - moved_at_us < REPLAY_WAIT_MS * INT64_C(1000));
        return r;
}

static int replay_request(Replay *replay, const char *ids) {
        DbConn *conn = replay->letters.conn;
        int r;

        r = db_letters_request(conn, ids);
        if (r == 0)
                r = replay_wait(replay, ids);
        if (r == 0)
                r = db_letters_withdraw(conn, ids);
        replay->is_last = true;
        if (r == 0)
                r = replay_look(replay, ids);
        if (r == 0)
                r = db_letters_forget(conn, ids);
        return r;
}

/* What two of them ask for at a time, each would have to tell from what the other has got. */
static int replay_lock(const Letters *letters) {
        int r = db_admin_lock(letters->conn, "tidegate_replay");

        if (r == DB_E_BUSY)
                return cli_fault(letters->cli,
                                 "another `dead-letters replay` is under way; ask again when it "
                                 "has ended");
        return cli_db_result(letters->cli, letters->conn, r, "replay");
}

/* "3 stay dead letters: bad_json 2, unknown_device 1" */
static void replay_say_why(const Replay *replay, size_t n_stay) {
        const char *before = ": ";

        fprintf(stderr, "tidegate %s: %zu stay dead letters", replay->letters.cli->command, n_stay);
        for (Reason reason = REASON_NONE + 1; reason < REASON_COUNT; ++reason) {
                if (replay->n_by[reason] == 0)
                        continue;
                fprintf(stderr, "%s%s %zu", before, reason_name(reason), replay->n_by[reason]);
                before = ", ";
        }
        fprintf(stderr,
                "%s\n",
                replay->n_moved == 0 ? ": no gateway took them up; is it running?" : "");
}

static int replay_conclude(const Replay *replay) {
        size_t n = replay->letters.n_ids;
        size_t n_done = replay->n_stored + replay->n_pending + replay->n_gone;

        printf("replayed %zu\n", replay->n_stored);
        if (replay->n_pending > 0)
                fprintf(stderr,
                        "%zu are in the gateway's journal and will be stored; their letters go "
                        "then\n",
                        replay->n_pending);
        if (replay->n_gone > 0)
                fprintf(stderr, "%zu were no dead letters any more\n", replay->n_gone);
        if (n_done < n)
                replay_say_why(replay, n - n_done);
        return replay->n_stored == n ? CLI_OK : CLI_FAULT;
}

int cli_letters_replay(const Cli *cli) {
        __attribute__((cleanup(replay_done))) Replay replay = { .letters = { .cli = cli } };
        Letters *letters = &replay.letters;
        CLEANUP_BUF Buf ids = { 0 };
        int r;

        r = letters_which(letters);
        if (r == CLI_OK)
                r = replay_lock(letters);
        if (r == CLI_OK)
                r = letters_collect(letters);
        if (r != CLI_OK)
                return r;
        for (size_t i = 0; i < letters->n_ids; ++i)
                buf_printf(&ids, "%s%lld", i == 0 ? "{" : ",", (long long)letters->ids[i]);
        buf_append_string(&ids, letters->n_ids == 0 ? "{}" : "}");
        buf_append_char(&ids, '\0');
        if (buf_failed(&ids))
                return cli_fault(cli, "out of memory");

        r = replay_request(&replay, ids.data);
        if (r != 0)
                return cli_db_result(cli, letters->conn, r, "replay");
        return replay_conclude(&replay);
}
