#include "ws/access/shared_ticket.h"

#include "base/err.h"
#include "base/secret.h"

typedef struct WsSpent WsSpent;

struct WsSpent {
        int64_t which;
        int64_t until_us; /* when it is too old; 0: free */
};

struct WsSharedTickets {
        WsSpent *spent; /* a ring */
        size_t capacity, next;
};

static const char shared_ticket_purpose[] = "tidegate ticket of one use";

int ws_shared_tickets_new(WsSharedTickets **ret_tickets, size_t capacity) {
        CLEANUP(ws_shared_tickets_free) WsSharedTickets *tickets = calloc(1, sizeof(*tickets));

        assert(capacity > 0);
        if (!tickets)
                return err_new(-ENOMEM);
        tickets->capacity = capacity;
        tickets->spent = calloc(capacity, sizeof(*tickets->spent));
        if (!tickets->spent)
                return err_new(-ENOMEM);
        *ret_tickets = TAKE(&tickets);
        return 0;
}

WsSharedTickets *ws_shared_tickets_free(WsSharedTickets *tickets) {
        if (!tickets)
                return NULL;
        free(tickets->spent);
        free(tickets);
        return NULL;
}

int ws_shared_tickets_issue(const WsAuth *auth,
                            const WsHolder *holder,
                            int64_t now_us,
                            char ret_ticket[WS_SHARED_TICKET_SIZE]) {
        int64_t numbers[WS_SHARED_TICKET_NUMBERS] = {
                holder->user_id,
                holder->generation,
                holder->expires_us,
                now_us + WS_TICKET_TTL_US,
        };
        int r;

        r = secret_random(&numbers[4], sizeof(numbers[4]));
        if (r == 0)
                r = ws_sealed_make(auth,
                                   shared_ticket_purpose,
                                   numbers,
                                   N_ELEMENTS(numbers),
                                   ret_ticket);
        return err_up(r);
}

static bool ws_shared_tickets_spend(WsSharedTickets *tickets,
                                    int64_t which,
                                    int64_t until_us,
                                    int64_t now_us) {
        for (size_t i = 0; i < tickets->capacity; ++i)
                if (tickets->spent[i].which == which && tickets->spent[i].until_us > now_us)
                        return false;
        tickets->spent[tickets->next] = (WsSpent){ .which = which, .until_us = until_us };
        tickets->next = tickets->next + 1 < tickets->capacity ? tickets->next + 1 : 0;
        return true;
}

int ws_shared_tickets_redeem(WsSharedTickets *tickets,
                             const WsAuth *auth,
                             Text ticket,
                             int64_t now_us,
                             WsHolder *ret_holder) {
        int64_t numbers[WS_SHARED_TICKET_NUMBERS];
        int64_t until_us;
        int r;

        r = ws_sealed_open(auth, shared_ticket_purpose, ticket, numbers, N_ELEMENTS(numbers));
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return WS_TICKETS_E_UNKNOWN;
        until_us = numbers[3] + WS_SHARED_TICKET_SKEW_US;
        if (until_us <= now_us ||
            until_us > now_us + WS_TICKET_TTL_US + 2 * WS_SHARED_TICKET_SKEW_US ||
            !ws_shared_tickets_spend(tickets, numbers[4], until_us, now_us))
                return WS_TICKETS_E_UNKNOWN;
        *ret_holder = (WsHolder){ .user_id = numbers[0],
                                  .generation = numbers[1],
                                  .expires_us = numbers[2] };
        return 0;
}
