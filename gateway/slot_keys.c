#include "gateway/slot_keys.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/text.h"
#include "gateway/decode/route.h"
#include "gateway/sparkplug/topic.h"
#include "model/slot.h"

struct SlotKeys {
        Routes *routes;
        unsigned n_slots;
        char hash[SLOT_KEYS_HASH_SIZE];
};

static uint64_t slot_keys_add(uint64_t hash, const char *text) {
        return text_hash(hash, text, strlen(text) + 1); /* with its end */
}

static void slot_keys_take_hash(SlotKeys *keys) {
        uint64_t hash = TEXT_HASH;

        for (size_t i = 0; i < routes_length(keys->routes); ++i) {
                const Route *route = routes_get(keys->routes, i);

                hash = slot_keys_add(hash, topic_template_text(route->topic));
                for (size_t k = 0; k < route->n_ignore; ++k)
                        hash = slot_keys_add(hash, route->ignore[k]);
                hash = slot_keys_add(hash, "");
        }
        snprintf(keys->hash, sizeof(keys->hash), "%016" PRIx64, hash);
}

int slot_keys_new(SlotKeys **ret_keys, Routes *routes, unsigned n_slots) {
        SlotKeys *keys;

        assert(n_slots > 0 && n_slots <= SLOT_MAX);
        keys = calloc(1, sizeof(*keys));
        if (!keys)
                return err_new(-ENOMEM);
        keys->routes = routes_ref(routes);
        keys->n_slots = n_slots;
        if (n_slots > 1)
                slot_keys_take_hash(keys);
        *ret_keys = keys;
        return 0;
}

SlotKeys *slot_keys_free(SlotKeys *keys) {
        if (!keys)
                return NULL;
        routes_unref(keys->routes);
        free(keys);
        return NULL;
}

int slot_keys_find(const SlotKeys *keys, Text topic, unsigned *ret_slot) {
        SparkplugTopic sparkplug;
        TopicMatch match = { 0 };
        CLEANUP_BUF Buf key = { 0 };

        *ret_slot = 0;
        if (keys->n_slots == 1)
                return 0;
        if (!sparkplug_topic_read(topic, &sparkplug) || sparkplug.type == SPARKPLUG_NONE) {
                (void)routes_match(keys->routes, topic, &match);
                *ret_slot = slot_of(slot_key(&match, topic), keys->n_slots);
                return 0;
        }
        sparkplug_topic_key(&sparkplug, true, &key);
        if (buf_failed(&key))
                return err_new(-ENOMEM);
        *ret_slot = slot_of(buf_text(&key), keys->n_slots);
        return 0;
}

unsigned slot_keys_of_device(const SlotKeys *keys, int64_t device_id) {
        char key[24];

        snprintf(key, sizeof(key), "%" PRId64, device_id);
        return slot_of(text_of(key), keys->n_slots);
}

const char *slot_keys_hash(const SlotKeys *keys) {
        return keys->hash;
}
