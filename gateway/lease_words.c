#include "gateway/lease_words.h"

#include <stdio.h>

#include "base/log.h"
#include "model/metrics.h"

void lease_words_holder(int which, const DbSlot *slot, bool is_doubted, bool is_of_several) {
        char text[METRICS_HOLDER_SIZE];

        snprintf(text, sizeof(text), "%.*s:%d", (int)sizeof(text) - 16, slot->host, slot->pid);
        if (!is_of_several)
                metrics_set_holder(text);
        if (is_doubted)
                log_error("lease_doubted slot=%d holder=%s epoch=%s fence=%llu hint=\"nothing is "
                          "taken in until it is clear whether that gateway is alive\"",
                          which,
                          text,
                          slot->epoch,
                          (unsigned long long)slot->fence);
        else if (is_of_several)
                log_info("lease_elsewhere slot=%d holder=%s fence=%llu",
                         which,
                         text,
                         (unsigned long long)slot->fence);
        else
                log_warning("lease_waiting slot=%d holder=%s epoch=%s fence=%llu lease_ms=%d "
                            "hint=\"that gateway stores into this database; this one takes over "
                            "when it ends. Gateways with work of their own need another "
                            "cluster.slot\"",
                            which,
                            text,
                            slot->epoch,
                            (unsigned long long)slot->fence,
                            slot->lease_ms);
}

void lease_words_differs(int which, const DbSlotLayout *layout) {
        log_error("cluster_differs slot=%d slots=%d templates=%s hint=\"gateways that have other "
                  "cluster.slots, or other topics in their routes, store into this database: "
                  "nothing is taken in until they have ended\"",
                  which,
                  layout->n_slots,
                  layout->n_slots > 1 ? layout->templates : "");
}

void lease_words_held(int which, const DbSlot *slot, int lease_ms) {
        log_info("lease_held slot=%d fence=%llu lease_ms=%d",
                 which,
                 (unsigned long long)slot->fence,
                 lease_ms);
}

void lease_words_lapsed(int which, const DbSlot *slot) {
        log_warning("lease_lapsed slot=%d host=%s pid=%d", which, slot->host, slot->pid);
}

void lease_words_lost(int which, uint64_t fence) {
        log_error("lease_lost slot=%d fence=%llu hint=\"another gateway stores now. This one ends; "
                  "started again it waits for its turn, and then stores what its journal holds\"",
                  which,
                  (unsigned long long)fence);
}

void lease_words_unasked(int which) {
        log_warning("lease_waiting slot=%d hint=\"another gateway may have it, and the database "
                    "cannot be asked\"",
                    which);
}
