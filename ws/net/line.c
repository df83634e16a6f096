#include "ws/net/line.h"

#include "base/err.h"
#include "base/index.h"

TAILQ_HEAD(WsLinePlaces, WsLinePlace); /* the first to come first */
TAILQ_HEAD(WsLineParties, WsLineParty);

/* One of which somebody waits. */
struct WsLineParty {
        uint64_t party;
        struct WsLinePlaces places;
        TAILQ_ENTRY(WsLineParty) entry;
};

struct WsLine {
        Index *by_party;
        struct WsLineParties parties; /* whose turn it is comes first */
        size_t n_places;
};

int ws_line_new(WsLine **ret_line) {
        CLEANUP(ws_line_free) WsLine *line = calloc(1, sizeof(*line));
        int r;

        if (!line)
                return err_new(-ENOMEM);
        TAILQ_INIT(&line->parties);
        r = index_new(&line->by_party);
        if (r < 0)
                return err_up(r);
        *ret_line = TAKE(&line);
        return 0;
}

WsLine *ws_line_free(WsLine *line) {
        if (!line)
                return NULL;

        assert(TAILQ_EMPTY(&line->parties));
        index_free(line->by_party);
        free(line);
        return NULL;
}

static WsLineParty *ws_line_add(WsLine *line, uint64_t number) {
        WsLineParty *party = calloc(1, sizeof(*party));

        if (!party || index_put(line->by_party, &number, sizeof(number), party) < 0) {
                free(party);
                return NULL;
        }
        party->party = number;
        TAILQ_INIT(&party->places);
        TAILQ_INSERT_TAIL(&line->parties, party, entry);
        return party;
}

bool ws_line_join(WsLine *line, WsLinePlace *place, uint64_t party) {
        if (place->party)
                return true;
        place->party = index_get(line->by_party, &party, sizeof(party));
        if (!place->party)
                place->party = ws_line_add(line, party);
        if (!place->party)
                return false;
        TAILQ_INSERT_TAIL(&place->party->places, place, entry);
        ++line->n_places;
        return true;
}

void ws_line_leave(WsLine *line, WsLinePlace *place) {
        WsLineParty *party = place->party;

        if (!party)
                return;
        TAILQ_REMOVE(&party->places, place, entry);
        --line->n_places;
        place->party = NULL;
        if (!TAILQ_EMPTY(&party->places))
                return;
        TAILQ_REMOVE(&line->parties, party, entry);
        index_remove(line->by_party, &party->party, sizeof(party->party));
        free(party);
}

WsLinePlace *ws_line_next(WsLine *line) {
        WsLineParty *party = TAILQ_FIRST(&line->parties);
        WsLinePlace *place;

        if (!party)
                return NULL;
        TAILQ_REMOVE(&line->parties, party, entry); /* the others have theirs first */
        TAILQ_INSERT_TAIL(&line->parties, party, entry);
        place = TAILQ_FIRST(&party->places);
        ws_line_leave(line, place);
        return place;
}

size_t ws_line_length(const WsLine *line) {
        return line->n_places;
}
