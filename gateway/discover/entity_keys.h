#pragma once

/*
 * EntityKeys: the names that announcements of Home Assistant have for what we read, long and short,
 * and which of them say where the state of a component is. Data; docs/mapping.md has the same.
 */

#include "base/base.h"

typedef struct EntityState EntityState;

/* How a state is to be understood. */
typedef enum EntityHow {
        ENTITY_TEXT,
        ENTITY_NUMBER,
        ENTITY_SENSOR, /* a number where its unit or class says so */
        ENTITY_SWITCH, /* one of two payloads */
} EntityHow;

struct EntityState {
        const char *component;
        const char *topic, *template; /* keys */
        const char *fallback;         /* a template where there is none; NULL: none */
        const char *suffix;           /* of the name; NULL: none */
        EntityHow how;
};

/* The states of a component; *ret_n 0: it has none that we know. "light json" is a light with the
 * schema json. */
const EntityState *entity_states(Text component, size_t *ret_n);
Text entity_short_key(const char *key);   /* absent: it has none */
bool entity_is_stateless(Text component); /* it has no state: nothing is missed */
