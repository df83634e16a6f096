/*
 * The margins of a lease: a model in Promela, searched through by tests/model/run.
 *
 * Every node has a clock of its own that only it reads; each may be a tick behind or not, and any
 * node is stopped between any two steps for as long as it likes. Whoever is awake by its own clock
 * (lease_is_awake() in gateway/lease.c: asked lately, and heard of nobody else) has the slot: only
 * so does one that was stopped take nothing from its socket that has gone to the next one since.
 *
 * The times are those of lease.c: a beat every third of the lease and a look every twelfth at most,
 * however late; awake for a lease and a look from the beginning of the last question
 * (lease_is_awake()); lapsed after a lease and two looks without a beat (lease_has_lapsed()), with
 * no longer gap between looks than half a lease (lease_watch()). A tick is a look.
 *
 * The database always answers in here. Where it does not, the owner goes on on purpose, and what
 * keeps another from storing the same is lease.pml.
 *
 * What the names beginning with NO_ and BAD_ take out or spoil has to be found by the search.
 */

#ifndef NODES
#define NODES 2
#endif
#ifndef LEASE
#define LEASE 2
#endif
#define LOOK 1

#ifdef NO_MARGIN
#define LAPSED LEASE
#else
#define LAPSED (LEASE + 2 * LOOK)
#endif
#define AWAKE (LEASE + LOOK)

#define NOBODY 255

byte owner = NOBODY; /* of slots */

#define REST  0
#define ASKED 1 /* what it asks is on its way */
#define TOLD  2 /* so is the answer */
#define TAKES 3 /* it has lapsed: on its way */
#define TOOK  4 /* so is the answer */

typedef Node {
        byte phase;
        bit is_ours, is_same; /* the answer; fence and beats are those of the one before */
        bit is_other;         /* in the database: they are not those of the last answer */

        bit holds, is_watching;

        /* By its own clock, and no more than matters. */
        bit is_behind;
        byte begun; /* since it began to ask what it asks now */
        byte asked; /* since it began to ask what was answered last */
        byte since; /* since something changed that it watches */
        byte seen;  /* since it looked */
};
Node node[NODES];

#ifdef NO_COMPARE
#define may_take(n) (true)
#else
#define may_take(n) (!node[n].is_other)
#endif
#define is_awake(n) (node[n].holds && node[n].asked < AWAKE)

/* Somebody takes it, or says that it is alive. */
inline beat() {
        node[0].is_other = 1;
        node[1].is_other = 1;
#if NODES > 2
        node[2].is_other = 1
#endif
}

inline grow(age, by, max) { age = (age + by > max -> max : age + by) }

/* One more tick, by each clock of its own. */
inline pass(n) {
        if
        :: by = 1
        :: node[n].is_behind -> by = 2; node[n].is_behind = 0
        :: !node[n].is_behind -> by = 0; node[n].is_behind = 1
        fi;
        grow(node[n].begun, by, AWAKE);
        grow(node[n].asked, by, AWAKE);
        grow(node[n].since, by, LAPSED + 1);
        grow(node[n].seen, by, LEASE / 2 + 1)
}

active proctype clock() {
        byte by;

        do
        :: atomic {
                pass(0);
                pass(1);
#if NODES > 2
                pass(2);
#endif
                by = 0
           }
        od
}

inline end_question(n) {
#ifdef BAD_BEGIN
        node[n].asked = 0;
#else
        node[n].asked = node[n].begun;
#endif
        node[n].begun = 0;
        node[n].phase = REST
}

/* lease_watch() */
inline watch(n) {
        if
        :: node[n].is_watching && node[n].is_same && node[n].seen <= LEASE / 2
        :: else -> node[n].since = 0
        fi;
        node[n].is_watching = 1;
        node[n].seen = 0
}

inline forget(n) {
        node[n].is_watching = 0;
        node[n].since = 0;
        node[n].seen = 0
}

active [NODES] proctype gateway() {
        byte me = _pid - 1;

        do
        :: atomic { /* lease_turn() */
                node[me].phase == REST && (node[me].holds -> node[me].asked : node[me].seen) > 0 ->
                node[me].begun = 0;
                node[me].phase = ASKED
           }
        :: atomic { /* tidegate_hold_slot() */
                node[me].phase == ASKED ->
                if
                :: owner == me || owner == NOBODY -> owner = me; beat()
                :: else
                fi;
                node[me].is_ours = (owner == me);
                node[me].is_same = !node[me].is_other;
                node[me].is_other = 0;
                node[me].phase = TOLD
           }
        :: atomic { /* lease_hold() */
                node[me].phase == TOLD ->
                node[me].holds = node[me].is_ours;
                if
                :: node[me].is_ours -> forget(me); end_question(me)
                :: else ->
                        watch(me);
                        if
                        :: node[me].since > LAPSED -> node[me].phase = TAKES
                        :: else -> end_question(me)
                        fi
                fi;
                node[me].is_ours = 0;
                node[me].is_same = 0
           }
        :: atomic {
                node[me].phase == TAKES ->
                if
                :: may_take(me) -> owner = me; node[me].is_ours = 1; beat()
                :: else
                fi;
                node[me].phase = TOOK
           }
        :: atomic {
                node[me].phase == TOOK ->
                node[me].holds = node[me].is_ours;
                if
                :: node[me].is_ours -> forget(me)
                :: else
                fi;
                node[me].is_ours = 0;
                end_question(me)
           }
        od
}

active proctype watcher() {
end:    do
        :: atomic { is_awake(0) && owner != 0 -> assert(false) } /* it would take in */
        :: atomic { is_awake(1) && owner != 1 -> assert(false) }
#if NODES > 2
        :: atomic { is_awake(2) && owner != 2 -> assert(false) }
#endif
        od
}
