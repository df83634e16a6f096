#include "gateway/store/opening.h"

#include "base/err.h"
#include "base/log.h"
#include "gateway/decode/route.h"
#include "gateway/journal/journal.h"
#include "gateway/memory/lateness.h"
#include "gateway/memory/origins.h"
#include "gateway/store/batch.h"
#include "gateway/store/clerk.h"
#include "gateway/store/database.h"
#include "gateway/store/desk.h"
#include "gateway/store/known.h"
#include "gateway/store/lane.h"
#include "gateway/store/merged.h"
#include "gateway/store/outbox.h"
#include "gateway/store/position.h"
#include "gateway/store/showing.h"

#define OPENING_STANDBY_MS 100 /* until it is clear whose the slot is */

bool opening_step(OpeningState *state, OpeningEvent event) {
        static const struct {
                bool is_there;
                OpeningState next;
        } table[OPENING_STATES][OPENING_EVENTS] = {
                [OPENING_NOT] = { [OPENING_ON_OPENED] = { true, OPENING_WAITS },
                                  [OPENING_ON_LOST] = { true, OPENING_NOT } },
                [OPENING_WAITS] = { [OPENING_ON_OPENED] = { true, OPENING_WAITS },
                                    [OPENING_ON_LOADED] = { true, OPENING_READS },
                                    [OPENING_ON_LOST] = { true, OPENING_NOT } },
                [OPENING_READS] = { [OPENING_ON_OPENED] = { true, OPENING_WAITS },
                                    [OPENING_ON_READ] = { true, OPENING_KNOWS },
                                    [OPENING_ON_LOST] = { true, OPENING_NOT } },
                [OPENING_KNOWS] = { [OPENING_ON_OPENED] = { true, OPENING_WAITS },
                                    [OPENING_ON_READY] = { true, OPENING_NOT },
                                    [OPENING_ON_LOST] = { true, OPENING_NOT } },
        };

        if (!table[*state][event].is_there)
                return false;
        *state = table[*state][event].next;
        return true;
}

static void opening_go(Opening *opening, OpeningEvent event) {
        if (!opening_step(&opening->state, event))
                log_error("opening_out_of_step state=%d event=%d hint=\"a bug: please report it\"",
                          (int)opening->state,
                          (int)event);
}

static void opening_rest(Opening *opening, Desk *desk, int pause_ms) {
        database_rest(desk->database, pause_ms);
        if (!database_is_lent(desk->database))
                opening_go(opening, OPENING_ON_LOST);
        stall_give_up(&desk->stall);
}

/* Whoever stores for a dead node begins anew rather than ask whether somebody else has been there
 * meanwhile. */
static int opening_end(const Desk *desk, int answer) {
        log_error("journal_not_stored epoch=%s answer=%d sqlstate=%s error=\"%s\"",
                  journal_epoch(desk->journal),
                  answer,
                  db_conn_sqlstate(database_conn(desk->database)),
                  db_conn_error(database_conn(desk->database)));
        return err_new(-ECONNABORTED);
}

int opening_settle(Opening *opening, Desk *desk, int answer) {
        if (answer > 0 && desk->options.holder.adopts)
                return opening_end(desk, answer);
        switch (answer) {
        case 0:
                return 0;
        case DB_E_OFFLINE:
        case DB_E_REJECTED:
                database_lose(desk->database);
                opening_go(opening, OPENING_ON_LOST);
                stall_give_up(&desk->stall);
                return 0;
        case DB_E_REFUSED:
                database_refuse(desk->database);
                stall_give_up(&desk->stall);
                return 0;
        case DB_E_STANDBY: /* the lease will know soon */
                opening_rest(opening, desk, OPENING_STANDBY_MS);
                return 0;
        case DB_E_FENCED:
                log_error("journal_position_moved epoch=%s hint=\"another process stores this "
                          "journal, or the database was restored from a copy\"",
                          journal_epoch(desk->journal));
                return err_new(-EBUSY);
        case DB_E_SCHEMA:
                log_error("schema_unknown hint=\"run tidegate migrate with the newest version\"");
                return err_new(-EPROTO);
        default:
                return answer < 0 ? err_up(answer) : err_new(-EINVAL);
        }
}

/* The first time also what was last known; the order is the viewers'. */
static void opening_show_latest(Desk *desk) {
        for (size_t i = 0; i < clerk_n_latest(desk->clerk); ++i) {
                Record copy = *clerk_latest(desk->clerk, i), shown = copy;

                merged_look(desk->merged, routes_have_merge(desk->routes), &shown);
                if (lateness_note(desk->latest, &copy) == 0)
                        (void)!outbox_show_restored(desk->outbox, &shown);
        }
}

/* How far the journals of edges are stored, by whichever gateway. */
static int opening_tell_origins(Desk *desk) {
        const Origin *positions;
        size_t n = db_store_origins(database_store(desk->database), &positions);

        return err_up(origins_tell(desk->origins, positions, n));
}

static int opening_opened(Opening *opening, Desk *desk) {
        bool is_waiting = batch_length(lane_current(desk->lane)) > 0;
        int r;

        r = clerk_tell_merged(desk->clerk, desk->merged);
        if (r != 0)
                return err_up(r);
        opening_show_latest(desk);
        r = clerk_tell_sensors(desk->clerk, desk->sensors);
        if (r == 0)
                r = clerk_tell_births(desk->clerk, desk->nodes, desk->presence);
        clerk_forget_latest(desk->clerk);
        if (r != 0)
                return err_up(r);
        r = opening_tell_origins(desk);
        if (r == 0)
                r = position_resume(desk, opening->position);
        if (r != 0)
                return r;
        if (!desk->was_ready)
                position_count_recovered(desk);
        opening_go(opening, OPENING_ON_READY);
        desk->is_to_restore = false;
        desk->was_ready = true;
        database_set_ready(desk->database);
        /* Where a batch waits, that it is stored is the proof. */
        if (!is_waiting)
                database_prove(desk->database);
        return 0;
}

/* Live goes on meanwhile with what is known, except at the start, when nothing is. */
static int opening_open_on(Opening *opening, Desk *desk) {
        int r = 0;

        if (opening->state == OPENING_WAITS && registry_is_loaded(known_registry(desk->known))) {
                r = position_take(desk, opening->position, opening->floor);
                if (r == 0 && desk->was_ready)
                        r = known_again(desk->known); /* it may have forgotten some of it */
                if (r == 0) {
                        opening_go(opening, OPENING_ON_LOADED);
                        clerk_open(desk->clerk, opening->position, desk->is_to_restore);
                }
        }
        if (opening->state == OPENING_KNOWS && !known_is_reloading(desk->known))
                r = opening_opened(opening, desk);
        return r;
}

/* As whom we store. The database does not hear of what the folder does not know. */
static void opening_hold(Desk *desk) {
        JournalWriters *writers = journal_writers(desk->journal);
        DbHolder *holder = &desk->options.holder;

        journal_writers_claim(writers);
        holder->writers = writers->n > 0 ? writers->ids : NULL;
        holder->begins = writers->begins;
        holder->last_seq = journal_last_seq(desk->journal);
        holder->fence = journal_turn(desk->journal);
}

/*
 * As the database is opened now, it may move the position beyond what we have stored, if that is
 * all that we have: what comes later is not to be taken for stored, and be it by the next process.
 * Where more waits, it does not.
 */
static int opening_say_last(Desk *desk) {
        uint64_t last_seq = journal_last_seq(desk->journal), shown_seq = showing_seq(desk->showing);

        if (lane_loaded_seq(desk->lane) >= last_seq) {
                if (desk->doubted_seq == 0)
                        desk->doubted_seq = last_seq > shown_seq ? last_seq : shown_seq;
                if (journal_doubt(desk->journal) != 0)
                        return DB_E_OFFLINE;
        }
        opening_hold(desk);
        return 0;
}

static int opening_connect(Opening *opening, Desk *desk, bool may_open) {
        bool is_connected = database_is_connected(desk->database);
        int r = 0;

        if (may_open && is_connected)
                r = opening_say_last(desk);
        if (r == 0)
                r = database_connect(desk->database,
                                     may_open && is_connected,
                                     &opening->position,
                                     &opening->floor);
        if (r == 0 && may_open && !is_connected && database_is_connected(desk->database))
                desk_wake(desk); /* it is opened in the next turn */
        return r;
}

int opening_turn(Opening *opening, Desk *desk, ProcessorStanding standing) {
        int r;

        if (standing == PROCESSOR_WAITS) {
                opening_rest(opening, desk, 0);
                return 0;
        }
        r = opening_connect(opening, desk, standing == PROCESSOR_STORES);
        if (r == DATABASE_E_OPENED) {
                known_start(desk->known); /* the schema is there */
                opening_go(opening, OPENING_ON_OPENED);
                r = 0;
        } else if (r == DATABASE_E_AGAIN && !lane_is_idle(desk->lane)) {
                r = lane_again(desk->lane);
        } else if (r == DATABASE_E_AGAIN) {
                r = 0;
        }
        if (r == 0)
                r = opening_open_on(opening, desk);
        return opening_settle(opening, desk, r);
}

int opening_take_errand(Opening *opening, Desk *desk) {
        int r = 0;

        switch (clerk_take(desk->clerk, &r)) {
        case CLERK_NONE:
                return 0;
        case CLERK_OPEN:
                if (r == 0)
                        opening_go(opening, OPENING_ON_READ);
                break;
        case CLERK_LOOK:
                if (r == 0)
                        clerk_mark(desk->clerk, lane_current(desk->lane));
                stall_go_on(&desk->stall);
                break;
        case CLERK_CHECK:
                if (r == 0)
                        r = clerk_tell_sensors(desk->clerk, desk->sensors);
                stall_go_on(&desk->stall);
                break;
        }
        return opening_settle(opening, desk, r);
}
