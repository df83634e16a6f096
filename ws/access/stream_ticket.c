#include "ws/access/stream_ticket.h"

#include "base/err.h"

static const char stream_ticket_purpose[] = "tidegate stream ticket";

int ws_stream_ticket_make(const WsAuth *auth,
                          const WsHolder *holder,
                          char ret_ticket[WS_STREAM_TICKET_SIZE]) {
        const int64_t numbers[WS_STREAM_TICKET_NUMBERS] = { holder->user_id,
                                                            holder->generation,
                                                            holder->expires_us };

        return err_up(ws_sealed_make(auth,
                                     stream_ticket_purpose,
                                     numbers,
                                     N_ELEMENTS(numbers),
                                     ret_ticket));
}

int ws_stream_ticket_open(const WsAuth *auth, Text ticket, WsHolder *ret_holder) {
        int64_t numbers[WS_STREAM_TICKET_NUMBERS];
        int r;

        r = ws_sealed_open(auth, stream_ticket_purpose, ticket, numbers, N_ELEMENTS(numbers));
        if (r < 0)
                return err_up(r);
        if (r > 0)
                return WS_AUTH_E_INVALID;
        *ret_holder = (WsHolder){ .user_id = numbers[0],
                                  .generation = numbers[1],
                                  .expires_us = numbers[2] };
        return 0;
}
