#include "ws/access/ticket.h"

#include "base/err.h"
#include "base/secret.h"
#include "model/metrics.h"

typedef struct WsTicket WsTicket;

struct WsTicket {
        uint8_t hash[SECRET_HASH_SIZE]; /* valid while valid_until_us > now */
        WsHolder holder;
        int64_t valid_until_us; /* 0 = free */
};

struct WsTickets {
        char key[SECRET_ID_SIZE]; /* of the hashes; lives as long as the table */
        WsTicket *tickets;
        size_t capacity, n_per_user;
};

int ws_tickets_new(WsTickets **ret_tickets, size_t capacity, size_t n_per_user) {
        CLEANUP(ws_tickets_free) WsTickets *tickets = NULL;
        int r;

        tickets = calloc(1, sizeof(*tickets));
        if (!tickets)
                return err_new(-ENOMEM);
        tickets->capacity = capacity;
        tickets->n_per_user = n_per_user;
        tickets->tickets = calloc(capacity, sizeof(*tickets->tickets));
        if (!tickets->tickets)
                return err_new(-ENOMEM);
        r = secret_id(tickets->key);
        if (r < 0)
                return err_up(r);

        *ret_tickets = TAKE(&tickets);
        return 0;
}

WsTickets *ws_tickets_free(WsTickets *tickets) {
        if (!tickets)
                return NULL;

        free(tickets->tickets);
        free(tickets);
        return NULL;
}

/* A place for one more of this user's; NULL if the table is full of other people's. */
static WsTicket *ws_tickets_place(WsTickets *tickets, int64_t user_id, int64_t now_us) {
        WsTicket *unused = NULL, *oldest = NULL;
        size_t n_own = 0;

        for (size_t i = 0; i < tickets->capacity; ++i) {
                WsTicket *ticket = &tickets->tickets[i];

                if (ticket->valid_until_us <= now_us) {
                        unused = unused ? unused : ticket;
                        continue;
                }
                if (ticket->holder.user_id != user_id)
                        continue;
                ++n_own;
                if (!oldest || ticket->valid_until_us < oldest->valid_until_us)
                        oldest = ticket;
        }
        if (n_own < tickets->n_per_user && unused)
                return unused;
        metric_add(oldest ? METRIC_TICKETS_GAVE_WAY : METRIC_TICKETS_REFUSED, 1);
        return oldest;
}

int ws_tickets_issue(WsTickets *tickets,
                     const WsHolder *holder,
                     int64_t now_us,
                     char ret_ticket[WS_TICKET_SIZE]) {
        WsTicket *place = ws_tickets_place(tickets, holder->user_id, now_us);
        char id[SECRET_ID_SIZE];
        int r;

        if (!place)
                return WS_TICKETS_E_FULL;
        r = secret_id(id);
        if (r < 0)
                return err_up(r);
        r = secret_token_hash(text_of(tickets->key), text_of(id), place->hash);
        if (r < 0)
                return err_up(r);

        place->holder = *holder;
        place->valid_until_us = now_us + WS_TICKET_TTL_US;
        memcpy(ret_ticket, id, WS_TICKET_SIZE);
        return 0;
}

int ws_tickets_redeem(WsTickets *tickets, Text ticket, int64_t now_us, WsHolder *ret_holder) {
        uint8_t hash[SECRET_HASH_SIZE];
        int r;

        if (ticket.n != WS_TICKET_SIZE - 1)
                return WS_TICKETS_E_UNKNOWN;
        r = secret_token_hash(text_of(tickets->key), ticket, hash);
        if (r < 0)
                return err_up(r);

        for (size_t i = 0; i < tickets->capacity; ++i) {
                WsTicket *found = &tickets->tickets[i];

                if (found->valid_until_us <= now_us ||
                    !secret_equal(found->hash, hash, sizeof(hash)))
                        continue;
                *ret_holder = found->holder;
                *found = (WsTicket){ 0 };
                return 0;
        }
        return WS_TICKETS_E_UNKNOWN;
}
