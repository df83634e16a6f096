#pragma once

/*
 * FakeCommands: the database, the broker and the journal as gateway/commands/dispatcher.c knows
 * them. Link tests/fake/commands.c instead of command_publisher.c, db/conn.c and db/edit/.
 *
 * There is one world. Its fields are read and written under its lock, as the dispatcher's thread
 * calls; what is done to it is a line of its log each, for which a test waits. What never comes
 * fails the test.
 */

#include <pthread.h>

#include "base/base.h"
#include "gateway/commands/command_publisher.h"
#include "model/inbound.h"

enum { FAKE_COMMANDS = 300, FAKE_LOG_BYTES = 1 << 16, FAKE_PATIENCE_S = 60 };

typedef struct FakeRow FakeRow;
typedef struct FakeWorld FakeWorld;

/* A command, as the database has it. */
struct FakeRow {
        char id[16];
        bool is_new, is_tried; /* to be published: for the first time, again */
        bool waits;            /* for its device's socket */
        bool is_over;
        const char *cancelled; /* says who took it back */
        int64_t tried_us;
        bool is_refused; /* by the broker */
};

struct FakeWorld {
        char log[FAKE_LOG_BYTES];
        size_t n_log;
        FakeRow rows[FAKE_COMMANDS];
        size_t n_rows, n_said; /* those behind it have not been notified */
        const char *letters[4];
        size_t n_letters, n_claimed;
        bool is_down, is_open, is_mute; /* the database; notifies nothing */
        bool beats;
        bool takes_no_word; /* the database: that something is published */
        bool has_broker, hangs;
        bool is_full, has_fault; /* the journal */
        size_t parcel[COMMAND_PUBLISHER_PARCEL];
        size_t n_parcel;
        int fd; /* readable: the database has something to say */
};

extern FakeWorld fake_world;
extern pthread_mutex_t fake_lock;
extern pthread_cond_t fake_changed;

void fake_world_init(void);
void fake_world_done(void);
void fake_world_notify(void);
/* A command that is new; without a notification. @waits: for its device's socket. */
FakeRow *fake_world_add(const char *id, bool waits);
FakeRow *fake_world_row(const char *id);

#define FAKE_SET(what, value)                          \
        do {                                           \
                pthread_mutex_lock(&fake_lock);        \
                (what) = (value);                      \
                pthread_cond_broadcast(&fake_changed); \
                pthread_mutex_unlock(&fake_lock);      \
        } while (0)

size_t fake_world_times(const char *line);
void fake_world_await(const char *line, size_t n);               /* until it is there so often */
void fake_world_in_order(const char *first, const char *second); /* both are there, and so */

void fake_world_in_one_turn(const char *first, const char *last); /* no tick between them */

int fake_world_take(void *arg, const Inbound *inbound); /* an InboundFn */
