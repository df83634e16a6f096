#include "model/registry_delta.h"

#include <stdatomic.h>

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"

#define REGISTRY_DELTA_BLOCK 4096 /* of texts */

struct RegistryDelta {
        _Atomic unsigned n_refs;
        bool is_whole;
        RegistryRow *rows;
        size_t n_rows, capacity;
        Arena *texts;
};

int registry_delta_new(RegistryDelta **ret_delta, bool is_whole) {
        CLEANUP(registry_delta_unref) RegistryDelta *delta = NULL;
        int r;

        delta = calloc(1, sizeof(*delta));
        if (!delta)
                return err_new(-ENOMEM);

        atomic_init(&delta->n_refs, 1);
        delta->is_whole = is_whole;
        r = arena_new(&delta->texts, REGISTRY_DELTA_BLOCK);
        if (r != 0)
                return err_up(r);

        *ret_delta = TAKE(&delta);
        return 0;
}

RegistryDelta *registry_delta_ref(RegistryDelta *delta) {
        if (delta)
                atomic_fetch_add_explicit(&delta->n_refs, 1, memory_order_relaxed);
        return delta;
}

RegistryDelta *registry_delta_unref(RegistryDelta *delta) {
        if (!delta || atomic_fetch_sub_explicit(&delta->n_refs, 1, memory_order_acq_rel) != 1)
                return NULL;

        arena_free(delta->texts);
        free(delta->rows);
        free(delta);
        return NULL;
}

/* Replaces a borrowed text by a copy; NULL stays NULL. False when memory is out. */
static bool registry_delta_keep(RegistryDelta *delta, const char **textp) {
        if (*textp) {
                *textp = arena_copy(delta->texts, *textp, strlen(*textp)).data;
                return *textp != NULL;
        }
        return true;
}

static bool registry_delta_keep_texts(RegistryDelta *delta, RegistryRow *row) {
        Device *device = &row->device;

        switch (row->table) {
        case REGISTRY_USER:
                return registry_delta_keep(delta, &row->user.name) &&
                       registry_delta_keep(delta, &row->user.identifier);
        case REGISTRY_DEVICE:
                return registry_delta_keep(delta, &device->key) &&
                       registry_delta_keep(delta, &device->code) &&
                       registry_delta_keep(delta, &device->name) &&
                       registry_delta_keep(delta, &device->product_type) &&
                       registry_delta_keep(delta, &device->device_type) &&
                       registry_delta_keep(delta, &device->firmware_version) &&
                       registry_delta_keep(delta, &device->location) &&
                       registry_delta_keep(delta, &device->manufacturer) &&
                       registry_delta_keep(delta, &device->model);
        case REGISTRY_VEHICLE:
                return registry_delta_keep(delta, &row->vehicle.code) &&
                       registry_delta_keep(delta, &row->vehicle.name);
        case REGISTRY_GROUP:
                return registry_delta_keep(delta, &row->group.name);
        default:
                return true;
        }
}

int registry_delta_add(RegistryDelta *delta, const RegistryRow *row) {
        RegistryRow copy = *row;

        if (!VEC_HAS_ROOM(delta->rows, delta->n_rows, delta->capacity, 1))
                return err_new(-ENOMEM);
        if (!copy.deleted && !registry_delta_keep_texts(delta, &copy))
                return err_new(-ENOMEM);

        delta->rows[delta->n_rows++] = copy;
        return 0;
}

size_t registry_delta_length(const RegistryDelta *delta) {
        return delta->n_rows;
}

const RegistryRow *registry_delta_row(const RegistryDelta *delta, size_t i) {
        return i < delta->n_rows ? &delta->rows[i] : NULL;
}

bool registry_delta_is_whole(const RegistryDelta *delta) {
        return delta->is_whole;
}
