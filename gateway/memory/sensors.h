#pragma once

/*
 * Sensors: which sensors each vehicle has named, and whether it may name one more.
 *
 * As many as the table has, and what the messages under way bring: 16 bytes each. A vehicle that
 * has as many as it may gets no new one; its others go on. Where one was refused, the table is
 * worth another look: somebody may have made room. One thread.
 */

#include "base/base.h"

typedef struct Sensors Sensors;

MUST_CHECK int sensors_new(Sensors **ret_sensors, size_t n_max); /* of a vehicle; 0 = no limit */
Sensors *sensors_free(Sensors *sensors);

/* Known, or there is room for it. That there is none is logged, once a vehicle, once a minute. */
bool sensors_may_have(Sensors *sensors, int64_t vehicle_id, int32_t sensor_id);

/* The vehicle has it, whatever the limit; @seq: of the record that says so, 0: it is in the table.
 */
MUST_CHECK int sensors_add(Sensors *sensors, int64_t vehicle_id, int32_t sensor_id, uint64_t seq);

/* Vehicles that were refused one, each once; they are asked for no more until they are again. */
size_t sensors_take_refused(Sensors *sensors, int64_t ret_vehicle_ids[], size_t n_max);
/* What the table was said to have, and what records up to this one brought: it is read anew. */
void sensors_forget(Sensors *sensors, int64_t vehicle_id, uint64_t up_to_seq);

size_t sensors_length(const Sensors *sensors); /* of all vehicles */

DEFINE_CLEANUP(Sensors *, sensors_free);
