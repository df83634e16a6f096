#include "ws/viewer/listing.h"

#include "base/clock.h"
#include "base/err.h"
#include "base/ids.h"
#include "model/metrics.h"
#include "ws/loop/loop.h"
#include "ws/viewer/client.h"
#include "ws/viewer/device_json.h"

#define WS_LISTING_STEP   128    /* devices that are looked at between two looks at the clock */
#define WS_LISTING_PACKED 262144 /* bytes of a list that may be compressed */
#define WS_LISTINGS_US    5000   /* of a turn: more of it is for snapshots */

TAILQ_HEAD(WsListers, WsClient);

struct WsListing {
        WsLoop *loop; /* borrowed */
        int64_t user_id;
        bool sees_all;
        bool is_stale;               /* the registry has changed since it began */
        struct WsListers now, later; /* wait for this one, and for the next */
        Buf json;
        JsonOut out;      /* into json */
        int64_t after_id; /* devices up to here have been looked at */
        int64_t *changed; /* meanwhile; owned */
        size_t n_changed, n_room;
        uint64_t n_changes; /* the loop's, when it began */
        TAILQ_ENTRY(WsListing) entry;
};

/* Who waited for the next one waits for this. */
static void ws_listing_take_later(WsListing *listing) {
        WsClient *client;

        while ((client = TAILQ_FIRST(&listing->later))) {
                TAILQ_REMOVE(&listing->later, client, lister);
                TAILQ_INSERT_TAIL(&listing->now, client, lister);
                client->is_late = false;
        }
}

static void ws_listing_begin(WsListing *listing) {
        ws_listing_take_later(listing);
        buf_reset(&listing->json);
        listing->out = (JsonOut){ .buf = &listing->json };
        json_out_object(&listing->out, NULL);
        json_out_string(&listing->out, "type", "device_list");
        json_out_array(&listing->out, "devices");
        listing->after_id = 0;
        listing->n_changed = 0;
        listing->is_stale = false;
        listing->n_changes = listing->loop->n_changes;
}

static WsListing *ws_listing_free(WsListing *listing) {
        if (!listing)
                return NULL;

        assert(TAILQ_EMPTY(&listing->now) && TAILQ_EMPTY(&listing->later));
        buf_done(&listing->json);
        free(listing->changed);
        free(listing);
        return NULL;
}

static int ws_listing_new(WsListing **ret_listing, const WsClient *client) {
        WsListing *listing = calloc(1, sizeof(*listing));

        if (!listing)
                return err_new(-ENOMEM);

        listing->loop = client->loop;
        listing->user_id = client->user_id;
        listing->sees_all = client->sees_all;
        TAILQ_INIT(&listing->now);
        TAILQ_INIT(&listing->later);
        ws_listing_begin(listing);
        *ret_listing = listing;
        return 0;
}

static bool ws_listing_sees(const WsListing *listing, const User *user, const Device *device) {
        return listing->sees_all || (user && user_sees_device(user, device));
}

static const User *ws_listing_user(const WsListing *listing) {
        return registry_user(listing->loop->registry, listing->user_id);
}

/* True: that was the last of them. */
static bool ws_listing_step(WsListing *listing) {
        const Registry *registry = listing->loop->registry;
        const User *user = ws_listing_user(listing);

        for (size_t i = 0; i < WS_LISTING_STEP; ++i) {
                const Device *device = registry_next_device(registry, listing->after_id);

                if (!device)
                        return true;
                listing->after_id = device->id;
                if (ws_listing_sees(listing, user, device))
                        ws_device_json(&listing->out, NULL, device);
        }
        return false;
}

/* ---- what changes meanwhile ----------------------------------------------------------------- */

/* Each once: there are no more of them than devices. */
static void ws_listing_sort(WsListing *listing) {
        listing->n_changed = ids_sort_once(listing->changed, listing->n_changed);
}

static int ws_listing_note(WsListing *listing, int64_t device_id) {
        int64_t *changed;
        size_t n_room = listing->n_room ? listing->n_room * 2 : 64;

        if (listing->n_changed == listing->n_room)
                ws_listing_sort(listing);
        if (listing->n_changed * 2 >= listing->n_room) {
                changed = reallocarray(listing->changed, n_room, sizeof(int64_t));
                if (!changed)
                        return err_new(-ENOMEM);
                listing->changed = changed;
                listing->n_room = n_room;
        }
        listing->changed[listing->n_changed++] = device_id;
        return 0;
}

int ws_listings_note(WsListings *listings, int64_t device_id) {
        WsListing *listing;
        int r = 0;

        TAILQ_FOREACH(listing, listings, entry)
                if (r == 0)
                        r = ws_listing_note(listing, device_id);
        return err_up(r);
}

void ws_listings_change(WsListings *listings, bool is_narrowed) {
        WsListing *listing;

        TAILQ_FOREACH(listing, listings, entry) {
                listing->is_stale = true;
                if (is_narrowed)
                        ws_listing_begin(listing);
        }
}

/* ---- the end of one ------------------------------------------------------------------------- */

static int ws_listing_frame(WsListing *listing, WsFrame **ret_frame) {
        WsFrame *frame = NULL;
        int r;

        json_out_array_end(&listing->out);
        json_out_object_end(&listing->out);
        if (buf_failed(&listing->json))
                return err_new(-ENOMEM);
        r = ws_frame_new(&frame, buf_text(&listing->json), 0);
        if (r < 0)
                return err_up(r);

        frame->is_unmetered = true; /* however many devices there are, it was asked for */
        frame->is_plain = frame->n > WS_LISTING_PACKED;
        *ret_frame = frame;
        return 0;
}

/* Who comes next gets the same, unless something has happened. */
static void ws_listing_keep(const WsListing *listing, WsFrame *frame) {
        WsLoop *loop = listing->loop;

        ws_frame_unref(loop->list.frame);
        loop->list.frame = ws_frame_ref(frame);
        loop->list.user_id = listing->user_id;
        loop->list.sees_all = listing->sees_all;
        loop->list.n_changes = listing->n_changes;
}

static int ws_listing_offer(WsListing *listing, WsFrame *frame) {
        WsClient *client;
        int r = 0;

        TAILQ_FOREACH(client, &listing->now, lister)
                if (r == 0)
                        r = ws_client_offer(client, frame);
        return err_up(r);
}

static int ws_listing_offer_changes(WsListing *listing) {
        const User *user = ws_listing_user(listing);
        int r = 0;

        ws_listing_sort(listing);
        for (size_t i = 0; r == 0 && i < listing->n_changed; ++i) {
                CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
                CLEANUP_BUF Buf json = { 0 };
                const Device *device =
                        registry_device(listing->loop->registry, listing->changed[i]);

                if (!device || !ws_listing_sees(listing, user, device))
                        continue;
                ws_device_update_json(&json, device);
                if (buf_failed(&json))
                        return err_new(-ENOMEM);
                r = ws_frame_new(&frame,
                                 buf_text(&json),
                                 ws_frame_key(KIND_DEVICE_STATUS, device->id, 0));
                if (r < 0)
                        return err_up(r);
                frame->is_unmetered = true; /* it is part of the list */
                r = ws_listing_offer(listing, frame);
        }
        return err_up(r);
}

static int ws_listing_deliver(WsListing *listing) {
        CLEANUP(ws_frame_unref) WsFrame *frame = NULL;
        WsClient *first = TAILQ_FIRST(&listing->now);
        int r;

        r = ws_listing_frame(listing, &frame);
        if (r < 0)
                return err_up(r);
        if (first)
                first->list_bytes = frame->n;
        ws_listing_keep(listing, frame);
        r = ws_listing_offer(listing, frame);
        if (r == 0)
                r = ws_listing_offer_changes(listing);
        return err_up(r);
}

static void ws_listing_end(WsListings *listings, WsListing *listing) {
        int r = ws_listing_deliver(listing);
        WsClient *client;

        while ((client = TAILQ_FIRST(&listing->now))) {
                if (r < 0)
                        ws_client_close(client, WS_CLOSE_FAULT, "out of memory", METRIC_COUNT);
                TAILQ_REMOVE(&listing->now, client, lister);
                client->listing = NULL;
        }
        ws_listing_begin(listing);
        if (!TAILQ_EMPTY(&listing->now))
                return;
        TAILQ_REMOVE(listings, listing, entry);
        ws_listing_free(listing);
}

/* ---- turns ---------------------------------------------------------------------------------- */

/* One step of it, in turn with the others. */
static void ws_listings_step(WsListings *listings, WsListing *listing) {
        int64_t since_us = clock_mono_us();
        WsLoop *loop = listing->loop;

        if (ws_listing_step(listing)) {
                ws_listing_end(listings, listing);
        } else {
                TAILQ_REMOVE(listings, listing, entry);
                TAILQ_INSERT_TAIL(listings, listing, entry);
        }
        ws_loop_worked(loop, since_us);
}

void ws_listings_turn(WsListings *listings, WsLoop *loop) {
        int64_t until_us = clock_mono_us() + WS_LISTINGS_US;
        WsListing *listing;

        while ((listing = TAILQ_FIRST(listings)) && clock_mono_us() < until_us &&
               ws_loop_may_work(loop))
                ws_listings_step(listings, listing);
        if (listing)
                metric_add(METRIC_WS_LISTS_PUT_OFF, 1);
}

/* ---- coming and going ----------------------------------------------------------------------- */

static bool ws_listings_have_made(const WsClient *client) {
        const WsLoop *loop = client->loop;

        return loop->list.frame && loop->list.n_changes == loop->n_changes &&
               loop->list.sees_all == client->sees_all &&
               (client->sees_all || loop->list.user_id == client->user_id);
}

static WsListing *ws_listings_find(const WsListings *listings, const WsClient *client) {
        WsListing *listing;

        TAILQ_FOREACH(listing, listings, entry)
                if (listing->sees_all == client->sees_all &&
                    (client->sees_all || listing->user_id == client->user_id))
                        return listing;
        return NULL;
}

int ws_listings_join(WsListings *listings, WsClient *client) {
        WsListing *listing = ws_listings_find(listings, client);
        int r;

        if (ws_listings_have_made(client))
                return ws_client_offer(client, client->loop->list.frame);
        if (!listing) {
                r = ws_listing_new(&listing, client);
                if (r < 0)
                        return err_up(r);
                TAILQ_INSERT_HEAD(listings, listing, entry); /* a short one is there at once */
        }
        client->listing = listing;
        client->is_late = listing->is_stale;
        if (client->is_late)
                TAILQ_INSERT_TAIL(&listing->later, client, lister);
        else
                TAILQ_INSERT_TAIL(&listing->now, client, lister);
        ws_listings_turn(listings, client->loop);
        return 0;
}

void ws_listings_leave(WsListings *listings, WsClient *client) {
        WsListing *listing = client->listing;

        if (!listing)
                return;

        if (client->is_late)
                TAILQ_REMOVE(&listing->later, client, lister);
        else
                TAILQ_REMOVE(&listing->now, client, lister);
        client->listing = NULL;
        if (!TAILQ_EMPTY(&listing->now))
                return;
        if (!TAILQ_EMPTY(&listing->later)) {
                ws_listing_begin(listing);
                return;
        }
        TAILQ_REMOVE(listings, listing, entry);
        ws_listing_free(listing);
}
