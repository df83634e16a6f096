#include "gateway/store/known.h"

#include "base/bucket.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/log.h"
#include "db/follow/registration.h"
#include "gateway/decode/numbers.h"
#include "gateway/memory/owners.h"
#include "gateway/store/batch.h"
#include "gateway/store/database.h"
#include "gateway/store/follower.h"
#include "gateway/store/outbox.h"
#include "model/metrics.h"

#define KNOWN_MINUTE_US INT64_C(60000000)

struct Known {
        KnownOptions options;
        Follower *follower;
        Registry *registry;
        Owners *owners;

        bool is_asking;
        bool is_reloading;
        int64_t asked_mono_us; /* when the question was asked: monotonic */
        int64_t asked_us;      /* by the world's clock */
        int64_t asked_for_us;  /* when the record was received */

        int64_t fresh_us;        /* the registry knows all that was committed before */
        uint64_t registered_seq; /* the record whose device is there, or will not be */
        uint64_t letter_seq;     /* the record of whose letter we know */
        bool letter_exists;

        Bucket minute;
        LogPace said_limited; /* that it was too much */
        bool is_full;         /* there are as many devices as there may be: it was said */
};

int known_new(Known **ret_known, const KnownOptions *options) {
        CLEANUP(known_free) Known *known = calloc(1, sizeof(*known));
        int r;

        if (!known)
                return err_new(-ENOMEM);
        known->options = *options;
        r = registry_new(&known->registry);
        if (r == 0)
                r = owners_new(&known->owners,
                               &(OwnersOptions){ .max_devices = options->max_devices,
                                                 .per_minute = options->new_per_minute,
                                                 .share = options->user_share });
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
        owners_free(known->owners);
        free(known);
        return NULL;
}

void known_start(Known *known) {
        follower_start(known->follower);
}

Registry *known_registry(Known *known) {
        return known->registry;
}

/* A minute's worth at once, and then as fast as it comes back. */
static BucketRate known_rate(const Known *known) {
        int n = known->options.new_per_minute;

        return (BucketRate){ n, KNOWN_MINUTE_US, n };
}

static size_t known_may_register(Known *known) {
        const BucketRate rate = known_rate(known);

        return rate.n == 0 ? SIZE_MAX : (size_t)bucket_left(&known->minute, &rate, clock_mono_us());
}

/* How many places are left; says once that there are none, and once that there are some again. */
static size_t known_room(Known *known) {
        size_t n_most = (size_t)known->options.max_devices;
        size_t n = registry_n_devices(known->registry);
        bool is_full = n_most > 0 && n >= n_most;

        metric_set(METRIC_DEVICES, (int64_t)n);
        if (is_full && !known->is_full)
                log_warning("registry_full devices=%zu hint=\"no more are created by messages, "
                            "which "
                            "become dead letters: registry.max_devices\"",
                            n);
        known->is_full = is_full;
        if (n_most == 0)
                return SIZE_MAX;
        return is_full ? 0 : n_most - n;
}

static void known_pay(Known *known, size_t n) {
        const BucketRate rate = known_rate(known);
        unsigned long long n_more;

        metric_add(METRIC_REGISTRATIONS, (int64_t)n);
        if (rate.n == 0)
                return;
        bucket_pay(&known->minute, &rate, (int64_t)n, clock_mono_us());
        if (known_may_register(known) == 0 && log_may(&known->said_limited, &n_more))
                log_warning("registrations_limited per_minute=%d more=%llu hint=\"more new devices "
                            "become dead letters: registry.new_devices_per_minute\"",
                            known->options.new_per_minute,
                            n_more);
}

void known_fill(Known *known, BatchContext *context) {
        size_t n_room = known_room(known);

        context->n_may_register = known_may_register(known);
        if (n_room < context->n_may_register)
                context->n_may_register = n_room;
        context->is_registry_full = known->is_full;
        context->registry = known->registry;
        context->by.zones = registry_zones(known->registry);
        context->owners = known->owners;
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

static DbRegistration known_registration(const Record *record) {
        return (DbRegistration){
                .code = record->device,
                .user_id = record->user_id,
                .device_type = known_device_type(record->kind),
                .name = record->said_name,
        };
}

/* How many there are in the list, which their owners pay for as well. */
static size_t known_list(Known *known, const Batch *batch, Buf *list) {
        const Record *record;
        size_t n = 0;

        while ((record = batch_ahead(batch, n))) {
                const DbRegistration registration = known_registration(record);

                db_registration_add(list, &registration);
                owners_pay(known->owners, record->user_id, 1);
                ++n;
        }
        if (n > 0)
                buf_append_char(list, ']');
        return n;
}

int known_ask(Known *known, const Batch *batch) {
        const Record *record = batch_wanting(batch);
        const DbRegistration registration = known_registration(record);
        FollowerQuestion question = { .seq = record->seq,
                                      .letter_id = record->letter_id,
                                      .letter_us = record_first_us(record) };
        CLEANUP_BUF Buf list = { 0 };
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
                question.code = registration.code;
                question.user_id = registration.user_id;
                question.device_type = registration.device_type;
                question.name = registration.name;
                owners_pay(known->owners, record->user_id, 1);
                known_pay(known, 1 + known_list(known, batch, &list));
                if (buf_failed(&list))
                        return err_new(-ENOMEM);
                question.more = buf_text(&list);
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
