#include "ws/access/shares.h"

#include "base/err.h"
#include "base/index.h"

typedef struct WsShare WsShare;

struct WsShare {
        uint64_t party;
        size_t n;
};

struct WsShares {
        Index *parties; /* of shares above 0 */
        size_t total;
};

int ws_shares_new(WsShares **ret_shares) {
        CLEANUP(ws_shares_free) WsShares *shares = NULL;
        int r;

        shares = calloc(1, sizeof(*shares));
        if (!shares)
                return err_new(-ENOMEM);
        r = index_new(&shares->parties);
        if (r < 0)
                return err_up(r);
        *ret_shares = TAKE(&shares);
        return 0;
}

static void ws_shares_forget(void *arg, void *value) {
        WsShares *shares = arg;
        WsShare *share = value;

        index_remove(shares->parties, &share->party, sizeof(share->party));
        free(share);
}

WsShares *ws_shares_free(WsShares *shares) {
        if (!shares)
                return NULL;

        if (shares->parties)
                index_each(shares->parties, ws_shares_forget, shares);
        index_free(shares->parties);
        free(shares);
        return NULL;
}

static WsShare *ws_shares_find(const WsShares *shares, uint64_t party) {
        return index_get(shares->parties, &party, sizeof(party));
}

size_t ws_shares_total(const WsShares *shares) {
        return shares->total;
}

size_t ws_shares_of(const WsShares *shares, uint64_t party) {
        const WsShare *share = ws_shares_find(shares, party);

        return share ? share->n : 0;
}

size_t ws_shares_room(const WsShares *shares, uint64_t party, size_t most, int percent) {
        size_t own = ws_shares_of(shares, party);
        size_t others = shares->total - own;
        size_t room = most > others ? most - others : 0;
        size_t allowed = room / 100 * (size_t)percent + (room % 100 * (size_t)percent + 99) / 100;

        return allowed > own ? allowed - own : 0;
}

bool ws_shares_fit(const WsShares *shares, uint64_t party, size_t n, size_t most, int percent) {
        return n <= ws_shares_room(shares, party, most, percent);
}

bool ws_shares_take(WsShares *shares, uint64_t party, size_t n) {
        WsShare *share = ws_shares_find(shares, party);

        if (!share) {
                share = calloc(1, sizeof(*share));
                if (!share || index_put(shares->parties, &party, sizeof(party), share) < 0) {
                        free(share);
                        return false;
                }
                share->party = party;
        }
        share->n += n;
        shares->total += n;
        return true;
}

void ws_shares_give_back(WsShares *shares, uint64_t party, size_t n) {
        WsShare *share = ws_shares_find(shares, party);

        assert(share && share->n >= n); /* nobody gives back what he has not taken */
        share->n -= n;
        shares->total -= n;
        if (share->n == 0)
                ws_shares_forget(shares, share);
}
