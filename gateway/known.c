#include "gateway/known.h"

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/batch.h"
#include "gateway/database.h"
#include "gateway/follower.h"
#include "gateway/numbers.h"
#include "gateway/outbox.h"

struct Known {
        KnownOptions options;
        Follower *follower;
        Registry *registry;

        bool is_asking;
        bool is_reloading;
        int64_t asked_mono_us; /* when the question was asked: monotonic */
        int64_t asked_us;      /* by the world's clock */
        int64_t asked_for_us;  /* when the record was received */

        int64_t fresh_us;        /* the registry knows all that was committed before */
        uint64_t registered_seq; /* the record whose device is there, or will not be */
        uint64_t letter_seq;     /* the record of whose letter we know */
        bool letter_exists;
};

int known_new(Known **ret_known, const KnownOptions *options) {
        CLEANUP(known_free) Known *known = calloc(1, sizeof(*known));
        int r;

        if (!known)
                return err_new(-ENOMEM);
        known->options = *options;
        r = registry_new(&known->registry);
        if (r == 0)
                r = follower_new(&known->follower,
                                 &(FollowerOptions){ .database_url = options->database_url,
                                                     .heartbeat_ms = options->heartbeat_ms,
                                                     .wake = options->wake,
                                                     .wake_arg = options->wake_arg });
        if (r != 0)
                return err_up(r);
        *ret_known = TAKE(&known);
        return 0;
}

Known *known_free(Known *known) {
        if (!known)
                return NULL;
        follower_free(known->follower);
        registry_free(known->registry);
        free(known);
        return NULL;
}

void known_start(Known *known) {
        follower_start(known->follower);
}

Registry *known_registry(Known *known) {
        return known->registry;
}

void known_fill(Known *known, BatchContext *context) {
        context->registry = known->registry;
        context->fresh_us = known->fresh_us;
        context->registered_seq = known->registered_seq;
        context->letter_seq = known->letter_seq;
        context->letter_exists = known->letter_exists;
}

/* ---- questions ---------------------------------------------------------------------------- */

static const char *known_device_type(Kind kind) {
        switch (kind) {
        case KIND_BLE_DETECTIONS:
                return "ble_scanner";
        case KIND_CAMERA_EVENT:
                return "camera";
        default:
                return "sensor";
        }
}

int known_ask(Known *known, const Batch *batch) {
        const Record *record = batch_wanting(batch);
        FollowerQuestion question = { .seq = record->seq, .letter_id = record->letter_id };
        int r;

        assert(!known->is_asking);
        switch (batch_wants(batch)) {
        case BATCH_WANTS_REFRESH:
                question.kind = FOLLOWER_FRESH;
                break;
        case BATCH_WANTS_LETTER:
                question.kind = FOLLOWER_LETTER;
                break;
        case BATCH_WANTS_REGISTER:
                question.kind = FOLLOWER_REGISTER;
                question.code = record->device;
                question.user_id = record->user_id;
                question.device_type = known_device_type(record->kind);
                if (record->kind == KIND_BLE_DETECTIONS)
                        question.name = record->detections.name;
                break;
        default:
                return 0;
        }
        r = follower_ask(known->follower, &question);
        if (r != 0)
                return err_up(r);
        known->is_asking = true;
        known->asked_mono_us = clock_mono_us();
        known->asked_us = clock_now_us();
        known->asked_for_us = record->received_us;
        return 0;
}

int64_t known_age_us(const Known *known) {
        int64_t age_us = clock_mono_us() - known->asked_mono_us;

        if (!known->is_asking)
                return 0;
        return age_us > 0 ? age_us : 1;
}

int known_reload(Known *known) {
        int r;

        r = follower_ask(known->follower, &(FollowerQuestion){ .kind = FOLLOWER_LOAD });
        if (r != 0)
                return err_up(r);
        known->is_reloading = true;
        return 0;
}

int known_again(Known *known) {
        int r = known->is_reloading ? 0 : known_reload(known);

        known->registered_seq = known->letter_seq = 0;
        return r == 0 ? 0 : err_up(r);
}

bool known_is_reloading(const Known *known) {
        return known->is_reloading;
}

/* ---- news --------------------------------------------------------------------------------- */

static int known_apply(Known *known, RegistryDelta *delta) {
        bool narrowed;
        int r;

        if (!delta)
                return 0;
        if (!registry_is_loaded(known->registry))
                numbers_warn(delta);
        r = registry_apply(known->registry, delta, &narrowed);
        if (r == 0)
                r = outbox_show_registry(known->options.outbox, delta);
        return r == 0 ? 0 : err_up(r);
}

/* True: it is the answer to what was asked. */
static bool known_take(Known *known, const FollowerNews *news) {
        switch (news->kind) {
        case FOLLOWER_FRESH: /* whatever the clock did since the record came */
                known->fresh_us = known->asked_us > known->asked_for_us ? known->asked_us
                                                                        : known->asked_for_us + 1;
                return true;
        case FOLLOWER_REGISTER:
                known->registered_seq = news->seq;
                return true;
        case FOLLOWER_LETTER:
                known->letter_seq = news->seq;
                known->letter_exists = news->exists;
                return true;
        case FOLLOWER_LOAD:
                known->is_reloading = false;
                return false;
        case FOLLOWER_REFUSED:
                database_doubt(known->options.database, news->sqlstate, news->error);
                return false;
        default:
                return false;
        }
}

int known_follow(Known *known, bool *ret_answered) {
        FollowerNews news;
        int r = 0;

        *ret_answered = false;
        while (r == 0 && follower_take(known->follower, &news)) {
                CLEANUP(registry_delta_unref) RegistryDelta *delta = news.delta;

                if (news.known_us != 0)
                        known->fresh_us = news.known_us;
                r = known_apply(known, delta);
                if (r == 0 && known_take(known, &news)) {
                        known->is_asking = false;
                        *ret_answered = true;
                }
        }
        if (r == 0)
                r = follower_result(known->follower);
        return r == 0 ? 0 : err_up(r);
}
