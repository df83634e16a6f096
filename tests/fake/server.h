#pragma once

/*
 * FakeServer: PostgreSQL as gateway/store/ knows it. Link tests/fake/server.c instead of db/.
 *
 * There is one. It keeps what transactions leave behind: how often each message is a row or a
 * letter, the position, the count. It is down, full, closed or choosy when it is told to be, and by
 * the dice it cuts a connection before, within or after a COMMIT, freezes it, or answers late.
 *
 * Messages say who they are by the number that their payload begins with: `{"n":17`, also behind
 * the bracket of the array whose elements are messages. They are numbered from 1 in the order in
 * which they were acknowledged, so whatever stores them has to go by these. What is stored twice,
 * and a position beyond a message that is not stored, fails the test at once.
 */

#include "base/base.h"
#include "gateway/sim/dice.h"

#define FAKE_SERVER_CODES 16 /* devices x0, x1, ... that may be created */

typedef struct FakeMessage FakeMessage;
typedef struct FakeServer FakeServer;

struct FakeMessage {
        uint64_t seq; /* that it was stored under; before that, that it came under */
        unsigned char n_rows, n_letters;
        bool is_last;  /* of its transaction: an older database ends here */
        bool is_shown; /* or was stored before there was somebody to show it to */
        unsigned life; /* the last in which it was shown */
};

struct FakeServer {
        Dice dice;
        unsigned trouble;    /* of a thousand statements: how many lose their connection */
        bool is_down;        /* takes no connection */
        bool is_full;        /* takes no transaction */
        bool is_closed;      /* takes no row, only letters */
        int64_t odd_device;  /* whose state is not taken; 0 = none */
        uint32_t n_created;  /* bits: the devices that were created */
        uint64_t others_seq; /* the position of another gateway's journal */

        FakeMessage *messages; /* [n_messages + 1], by number */
        uint64_t n_messages;
        uint64_t n_passed; /* all up to this one are stored */

        uint64_t seq, own_seq; /* the position, and before others moved it */
        uint64_t n_stored;     /* counted by the transactions */
        uint64_t checked_seq, checked_stored;
};

extern FakeServer fake_server;

uint64_t fake_server_number(Text payload); /* of the message */
bool fake_server_refuses(uint64_t number); /* its row, as long as it is one */

void fake_server_add_message(uint64_t seq); /* one more is acknowledged, under this */
void fake_server_cut(void);                 /* the processor's connection, whatever is under way */
/* As it was when message @number was the last that it had stored, which is the last of its
 * transaction, or 0; @with_rows: the position alone is that old. */
void fake_server_go_back(uint64_t number, bool with_rows);
