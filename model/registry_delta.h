#pragma once

/*
 * RegistryDelta: rows to apply together, in order; immutable once shared, reference-counted.
 * @is_whole: the rows are all there is, whatever else a registry has is gone.
 */

#include "base/base.h"
#include "model/account.h"

typedef struct RegistryDelta RegistryDelta;
typedef struct RegistryRow RegistryRow;

typedef enum RegistryTable {
        REGISTRY_USER,
        REGISTRY_DEVICE,
        REGISTRY_DEVICE_STATE,
        REGISTRY_VEHICLE,
        REGISTRY_GROUP,
        REGISTRY_DEVICE_GROUP,
        REGISTRY_SHARE,
        REGISTRY_ZONES, /* one row, or none */
        REGISTRY_TABLE_COUNT
} RegistryTable;

/* One row as the database has it now, or the news that it is gone. Texts belong to the delta. */
struct RegistryRow {
        RegistryTable table;
        bool deleted; /* then only the ids below count */
        union {
                User user;
                Device device;   /* audience, groups, state are ignored */
                Vehicle vehicle; /* audience is ignored; clock where none is known yet */
                GroupRef group;
                struct {
                        int64_t device_id;
                        DeviceState state;
                } device_state;
                struct {
                        int64_t device_id, group_id;
                } device_group;
                struct {
                        int64_t id;
                        int64_t user_id;                         /* who may see */
                        int64_t vehicle_id, device_id, group_id; /* what: one is not 0 */
                } share;
                Zones zones;
        };
};

MUST_CHECK int registry_delta_new(RegistryDelta **ret_delta, bool is_whole);
RegistryDelta *registry_delta_ref(RegistryDelta *delta);
RegistryDelta *registry_delta_unref(RegistryDelta *delta);
MUST_CHECK int registry_delta_add(RegistryDelta *delta,
                                  const RegistryRow *row); /* copies, texts too; -ENOMEM */
size_t registry_delta_length(const RegistryDelta *delta);
const RegistryRow *registry_delta_row(const RegistryDelta *delta, size_t i); /* NULL at the end */
bool registry_delta_is_whole(const RegistryDelta *delta);

DEFINE_CLEANUP(RegistryDelta *, registry_delta_unref);
