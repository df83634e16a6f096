#include "mqtt/door.h"

#include "base/err.h"
#include "model/topic_filter.h"
#include "mqtt/filters.h"

struct MqttDoor {
        MqttDoor *before; /* owned */
        bool is_open;     /* nothing is joined: all that comes is wanted */
        char **texts;     /* owned */
        size_t n_texts;
};

static bool mqtt_door_is_same(const MqttDoor *a, const MqttDoor *b) {
        bool is_same = a->is_open == b->is_open && a->n_texts == b->n_texts;

        for (size_t i = 0; is_same && i < a->n_texts; ++i)
                is_same = strcmp(a->texts[i], b->texts[i]) == 0;
        return is_same;
}

static int mqtt_door_add(MqttDoor *door, const char *text) {
        door->texts[door->n_texts] = strdup(text);
        if (!door->texts[door->n_texts])
                return err_new(-ENOMEM);
        ++door->n_texts;
        return 0;
}

int mqtt_door_new(MqttDoor **ret_door, const MqttFilters *filters, MqttDoor **beforep) {
        CLEANUP(mqtt_door_free) MqttDoor *door = calloc(1, sizeof(*door));
        int r = 0;

        if (!door)
                return err_new(-ENOMEM);
        door->is_open = true;
        door->texts = calloc(filters->n_items + filters->n_patterns + 1, sizeof(*door->texts));
        if (!door->texts)
                return err_new(-ENOMEM);
        for (size_t i = 0; r == 0 && i < filters->n_items; ++i) {
                const MqttFilter *filter = &filters->items[i];

                if (filter->is_join) {
                        door->is_open = false;
                        continue;
                }
                r = mqtt_door_add(door, filter->text);
        }
        for (size_t i = 0; r == 0 && i < filters->n_patterns; ++i)
                r = mqtt_door_add(door, filters->patterns[i]);
        if (r != 0)
                return err_up(r);
        if (*beforep && mqtt_door_is_same(*beforep, door)) {
                *ret_door = TAKE(beforep);
                return 0;
        }
        door->before = TAKE(beforep);
        *ret_door = TAKE(&door);
        return 0;
}

MqttDoor *mqtt_door_free(MqttDoor *door) {
        while (door) {
                MqttDoor *before = door->before;

                for (size_t i = 0; i < door->n_texts; ++i)
                        free(door->texts[i]);
                free(door->texts);
                free(door);
                door = before;
        }
        return NULL;
}

bool mqtt_door_takes(const MqttDoor *door, Text topic) {
        if (!door || door->is_open)
                return true;
        for (size_t i = 0; i < door->n_texts; ++i)
                if (topic_filter_takes(door->texts[i], topic))
                        return true;
        return false;
}
