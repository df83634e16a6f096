/*
 * Lease, fence and hand-over of a slot: a model in Promela, searched through by tests/model/run.
 *
 * Who does what here, and where that is written:
 *
 *      hold, is_free      tidegate_hold_slot(), tidegate_slot_is_free(), the trigger tidegate_left():
 *                         schema/0012_slots.sql, 0013_turns.sql; asked by lease_hold(), gateway/lease.c
 *      learn_*            lease_take(), lease_see(), lease_guess(): what the node makes of it
 *      compare            lease_begin_turn(), journal_learn(), journal_pass_taken(): what others have stored
 *      "open"             db_takeover(), db/write/takeover.c
 *      server             the storing transaction: BEGIN, tidegate_advance(), rows, COMMIT
 *      "connect", "lost"  slot_line_follow(), mqtt_source_connect(), _lost(), _leave(), mqtt/source.c
 *      "take", "ack"      inlet_take(), gateway/inlet.c, and the PUBACK that follows it
 *      "release"          db_slots_release(), as gateway_stop() ends
 *
 * A node is stopped between any two steps for as long as it likes: nothing has to be done at once.
 * It is killed between any two; what it had sent is done by the server, or not, and late. Any
 * answer may be lost.
 *
 * There is no clock in here: whoever watches may take an owner for lapsed, however alive that is
 * (WRONG times). What holds then needs none; what the margins of the lease are for is margin.pml.
 *
 * Every run ends, as faults do, and where nothing more can happen the slot has to be owned. Never
 * may a transaction commit of a node whose slot has been taken since, and what was acknowledged is
 * stored, or on a disk that the database names, at any time. Nothing is stored by two.
 *
 * What the names beginning with NO_ and BAD_ take out or spoil has to be found by the search.
 */

#ifndef NODES
#define NODES 2
#endif
#ifndef MESSAGES
#define MESSAGES 1
#endif
#ifndef KILLS
#define KILLS 0
#endif
#ifndef STOPS
#define STOPS 0 /* proper ends */
#endif
#ifndef CUTS
#define CUTS 0 /* of a node from the database */
#endif
#ifndef LOST
#define LOST 0 /* answers of the database, with the connection */
#endif
#ifndef WRONG
#define WRONG 0 /* owners that are taken for lapsed and are not */
#endif

#define NOBODY 255
#define ALL    ((1 << MESSAGES) - 1)

/* LeaseState. Left out: LEASE_NEW (a database without a schema); LEASE_LOST ends the process. */
#define UNKNOWN 0
#define AWAY    1
#define HELD    2
#define WAITING 3
#define DOUBTED 4

/* ---- the database ---- */

byte slot_instance = NOBODY; /* of slots; NOBODY: NULL */
byte slot_epoch = NOBODY;
byte slot_fence;

typedef Position { /* of journal_positions: one a journal, which is one a node */
        byte session;
        byte stored; /* of its journal, as a set */
        bit left;    /* left_at is set */
};
Position position[NODES];

/* A transaction that stores, in the server: sent, begun (it has the position's row), or none. The
 * last one of a connection that is lost may still be there beside that of the next. */
#define SENT  1
#define BEGUN 2
typedef Work {
        byte phase, session, fence, messages;
};
Work work[NODES * 2];
#define OWN(n)  (2 * (n))
#define LATE(n) (2 * (n) + 1)

#ifdef NO_LOCK
#define is_locked(n) (false)
#else
#define is_locked(n) (work[OWN(n)].phase == BEGUN || work[LATE(n)].phase == BEGUN)
#endif

/* ---- the broker: one session, for whoever connects by its name ---- */

byte at_broker = NOBODY; /* who is connected */
byte acked;              /* as sets */
byte in_flight;

/* ---- nodes ---- */

typedef Node {
        byte life; /* of its process: each has an instance of its own */
        bit is_down, is_for_good;
        bit is_cut; /* from the database */
        byte state;
        bit note;        /* the file `standby` */
        byte seen_fence; /* of whom it watches; 0: nobody */

        bit is_open; /* its storing connection has taken the position over */
        byte session, fence;
        byte journal;  /* on its disk, as a set */
        byte known;    /* likewise: stored by others, and comes again perhaps */
        byte turn;     /* the fence with which it has compared them */
        bit is_untold; /* it has taken in without the database, which it has not reached since */

        bit is_in_session; /* as it believes */
        bit is_left;
        byte inbox;  /* has come by the broker, and is not in the journal yet */
        byte to_ack; /* in the journal; the PUBACK is not out */
        bit is_ending;
};
Node node[NODES];

byte n_kills, n_stops, n_cuts, n_lost, n_wrong, n_dead;

#define instance(n) ((n) + NODES * node[n].life)
#define is_ours(n)  (slot_instance == instance(n))
#define lets_in(n)  ((node[n].state == HELD || node[n].state == AWAY) && !node[n].is_ending)
#define waits(n)    ((node[n].journal & ~position[n].stored) != 0)

/* Gives the owner signs of life that others can see? */
#define owner     (slot_instance % NODES)
#define is_beating (slot_instance == instance(owner) && !node[owner].is_down && \
                    !node[owner].is_cut && !node[owner].is_ending)

/* ---- what has to hold ---- */

#define is_named(n) (slot_epoch == n || position[n].left || node[n].is_untold)
#if NODES == 2
#define others_of(n) (position[1 - (n)].stored)
#define is_once      ((position[0].stored & position[1].stored) == 0)
#else
#define others_of(n) (position[((n) + 1) % 3].stored | position[((n) + 2) % 3].stored)
#define is_once                                                                             \
        ((position[0].stored & position[1].stored) == 0 &&                                  \
         (position[2].stored & (position[0].stored | position[1].stored)) == 0)
#endif
#define safe_at(n)  (position[n].stored | (is_named(n) -> node[n].journal : 0))
#define owns(n)     (is_ours(n) && node[n].state == HELD && node[n].is_open && at_broker == n && \
                     !waits(n))
#if NODES == 2
#define is_safe  ((acked & ~(safe_at(0) | safe_at(1))) == 0)
#define is_owned (owns(0) || owns(1))
#else
#define is_safe  ((acked & ~(safe_at(0) | safe_at(1) | safe_at(2))) == 0)
#define is_owned (owns(0) || owns(1) || owns(2))
#endif

/* ---- steps ---- */

/* Let go; our own, whose process has ended; or watched without a sign of life. */
#define is_free(n)   (slot_instance == NOBODY || slot_epoch == n)
#define asks(n)      (!node[n].is_down && !node[n].is_cut && !node[n].is_ending)
#ifdef NO_LAPSE
#define is_lapsed(n) (false)
#else
#define is_lapsed(n) (node[n].seen_fence != 0 && node[n].seen_fence == slot_fence && \
                      (!is_beating || n_wrong < WRONG))
#endif
#define is_quiet     (slot_epoch == NOBODY || !is_locked(slot_epoch)) /* else it waits for the row */

inline hold(n) {
        if
        :: slot_epoch != NOBODY ->
#ifndef NO_FENCE
                position[slot_epoch].session++;
#endif
#ifndef NO_LEFT
                position[slot_epoch].left = position[slot_epoch].left ||
                                            (slot_instance != NOBODY && slot_epoch != n)
#endif
        :: else
        fi;
        slot_fence++;
        slot_epoch = n;
        slot_instance = instance(n)
}

inline compare(n) {
#ifndef NO_FLIGHTS
        node[n].known = node[n].known | others_of(n);
#endif
#ifndef NO_TAKEN
        node[n].journal = node[n].journal & ~(others_of(n) & ~position[n].stored);
#endif
        node[n].turn = slot_fence
}

inline learn_ours(n) {
        compare(n);
        node[n].state = HELD;
        node[n].note = 0;
        node[n].seen_fence = 0;
        node[n].is_untold = 0
}

/* What is left in its journal it says, too. */
inline learn_others(n) {
        node[n].state = (node[n].state == UNKNOWN || node[n].state == WAITING -> WAITING : DOUBTED);
        node[n].note = 1;
        node[n].seen_fence = slot_fence;
#ifndef NO_WORD
        position[n].left = position[n].left || waits(n);
#endif
        node[n].is_untold = 0
}

#ifdef NO_TURN
#define is_compared(n) (true)
#else
#define is_compared(n) (node[n].turn == slot_fence)
#endif

#ifdef NO_OWNER
#define may_open(n) (true)
#else
#define may_open(n) (is_ours(n) && is_compared(n))
#endif

inline clear(w) {
        work[w].phase = 0;
        work[w].session = 0;
        work[w].fence = 0;
        work[w].messages = 0
}

/* The connection that stores is gone; what was under way on it is for the server to end. */
inline lose_connection(n) {
        node[n].is_open = 0;
        node[n].session = 0;
        node[n].fence = 0;
        if
        :: work[OWN(n)].phase != 0 && work[LATE(n)].phase == 0 ->
                work[LATE(n)].phase = work[OWN(n)].phase;
                work[LATE(n)].session = work[OWN(n)].session;
                work[LATE(n)].fence = work[OWN(n)].fence;
                work[LATE(n)].messages = work[OWN(n)].messages
        :: else
        fi;
        clear(OWN(n))
}

inline leave_broker(n) {
        in_flight = (at_broker == n -> 0 : in_flight);
        at_broker = (at_broker == n -> NOBODY : at_broker);
        node[n].is_in_session = 0;
        node[n].inbox = 0;
        node[n].to_ack = 0
}

inline end_process(n) {
        lose_connection(n);
        leave_broker(n);
        node[n].is_down = 1;
        node[n].life++;
        node[n].state = UNKNOWN;
        node[n].seen_fence = 0;
        node[n].is_left = 0;
        node[n].is_ending = 0
}

active [NODES] proctype gateway() {
        byte me = _pid;

end:    do
        /* the lease; a sign of life that changes nothing is left out */
        :: atomic {
                asks(me) && is_ours(me) && (node[me].state != HELD || node[me].turn != slot_fence) ->
                learn_ours(me)
           }
        :: atomic {
                asks(me) && !is_ours(me) && is_free(me) && is_quiet ->
                hold(me);
                if
                :: learn_ours(me)
                :: n_lost < LOST -> n_lost++ /* the answer: asks again */
                fi
           }
        :: atomic {
                asks(me) && !is_ours(me) && !is_free(me) && node[me].seen_fence != slot_fence ->
                learn_others(me)
           }
        :: atomic { /* and others, once it has lapsed */
                asks(me) && !is_ours(me) && is_lapsed(me) && is_quiet ->
                n_wrong = (is_beating -> n_wrong + 1 : n_wrong);
                hold(me);
                learn_ours(me)
           }
        :: atomic { /* lease_lose() */
                asks(me) && !is_ours(me) && node[me].state == DOUBTED && slot_instance != NOBODY &&
                is_beating -> end_process(me)
           }
        :: atomic { /* asked in vain */
                !node[me].is_down && node[me].is_cut && node[me].state == UNKNOWN ->
                node[me].state = (node[me].note -> WAITING : AWAY)
           }

        :: atomic { /* connect: who was there is thrown out, and hears of it later */
                !node[me].is_down && lets_in(me) && !node[me].is_in_session &&
                (!node[me].is_left || is_ours(me) || n_wrong < WRONG) ->
                n_wrong = (!node[me].is_left || is_ours(me) -> n_wrong : n_wrong + 1);
                at_broker = me;
                in_flight = 0;
                node[me].is_in_session = 1;
                node[me].is_left = 0
           }
        :: atomic { /* lost: what is in the socket is read first */
                !node[me].is_down && node[me].is_in_session && at_broker != me && !node[me].inbox ->
                node[me].is_in_session = 0;
                node[me].to_ack = 0;
                node[me].is_left = !is_ours(me)
           }

        :: atomic { /* take */
                !node[me].is_down && node[me].inbox != 0 ->
                if
                :: lets_in(me) ->
#ifdef BAD_ACK
                        acked = (at_broker == me -> acked | node[me].inbox : acked);
#else
                        node[me].journal = node[me].journal | (node[me].inbox & ~node[me].known);
#endif
                        node[me].to_ack = node[me].inbox;
                        node[me].is_untold = node[me].is_untold || node[me].state == AWAY;
                        node[me].inbox = 0
                :: else -> leave_broker(me)
                fi
           }
        :: atomic { /* ack */
                !node[me].is_down && node[me].to_ack != 0 && at_broker == me ->
#ifdef BAD_ACK
                node[me].journal = node[me].journal | node[me].to_ack;
#endif
                acked = acked | node[me].to_ack;
                in_flight = 0;
                node[me].to_ack = 0
           }

        :: atomic { /* open */
                !node[me].is_down && !node[me].is_cut && node[me].state == HELD &&
                !node[me].is_open && !is_locked(me) && may_open(me) ->
                position[me].session++;
                position[me].left = 0;
                node[me].session = position[me].session;
                node[me].fence = slot_fence;
                node[me].is_open = 1
           }
        :: atomic { /* store */
                node[me].is_open && work[OWN(me)].phase == 0 && waits(me) ->
                work[OWN(me)].phase = SENT;
                work[OWN(me)].session = node[me].session;
                work[OWN(me)].fence = node[me].fence;
                work[OWN(me)].messages = node[me].journal & ~position[me].stored
           }

        :: atomic { /* SIGTERM: the doors first */
                !node[me].is_down && !node[me].is_ending && n_stops < STOPS ->
                n_stops++;
                node[me].is_ending = 1;
                leave_broker(me)
           }
        :: atomic { /* release, of what is stored, or as the grace is over */
                !node[me].is_down && node[me].is_ending ->
                if
                :: !node[me].is_cut && is_ours(me) && node[me].state == HELD ->
                        slot_instance = NOBODY;
                        position[me].left = position[me].left || waits(me)
                :: true
                fi;
                end_process(me)
           }

        :: atomic {
                !node[me].is_down && n_kills < KILLS ->
                n_kills++;
                end_process(me);
                if
                :: true
                :: n_dead < NODES - 1 -> n_dead++; node[me].is_for_good = 1
                fi
           }
        :: atomic { node[me].is_down && !node[me].is_for_good -> node[me].is_down = 0 }

        :: atomic { !node[me].is_cut && n_cuts < CUTS -> n_cuts++; node[me].is_cut = 1; lose_connection(me) }
        :: atomic { node[me].is_cut -> node[me].is_cut = 0 }
        :: atomic { node[me].is_open && n_lost < LOST -> n_lost++; lose_connection(me) }
        od
}

/* ---- the server: each transaction by itself ---- */

active [NODES * 2] proctype server() {
        byte w = _pid - NODES;
        byte n = w / 2;

end:    do
        :: atomic { /* tidegate_advance() */
                work[w].phase == SENT && !is_locked(n) ->
                if
                :: work[w].session == position[n].session -> work[w].phase = BEGUN
                :: else -> /* TG001 */
                        clear(w);
                        if
                        :: w == OWN(n) -> lose_connection(n)
                        :: else
                        fi
                fi
           }
        :: atomic {
                work[w].phase == BEGUN ->
                assert(slot_fence == work[w].fence); /* nobody has taken the slot since */
                position[n].stored = position[n].stored | work[w].messages;
                clear(w)
           }
        :: atomic { work[w].phase != 0 && w == LATE(n) -> clear(w) } /* its client is gone */
        od
}

/* ---- the broker: what is open, to whoever is connected, and again after each new connection ---- */

active proctype broker() {
end:    do
        :: atomic {
                at_broker != NOBODY && acked != ALL && in_flight == 0 ->
                in_flight = ~acked & (acked + 1); /* the first one */
                node[at_broker].inbox = in_flight
           }
        od
}

active proctype watcher() {
end:    do
        :: atomic { !is_once -> assert(false) }
        :: atomic { !is_safe -> assert(false) } /* acknowledged, neither stored nor on a named disk */
        :: timeout -> assert(is_owned); break   /* nothing more happens */
        od
}
