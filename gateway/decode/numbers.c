#include "gateway/decode/numbers.h"

#include "base/log.h"
#include "base/name.h"

typedef struct Numbers Numbers;

/* Of one kind. */
struct Numbers {
        const char *kind;
        size_t n;
        const char *first; /* borrowed from the delta */
};

static void numbers_note(Numbers *numbers, const char *name) {
        if (!name || !name_is_number(text_of(name)))
                return;
        if (numbers->n++ == 0)
                numbers->first = name;
}

void numbers_warn(const RegistryDelta *delta) {
        Numbers all[] = { { .kind = "user" }, { .kind = "device" }, { .kind = "vehicle" } };
        const RegistryRow *row;

        for (size_t i = 0; (row = registry_delta_row(delta, i)); ++i) {
                if (row->table == REGISTRY_USER)
                        numbers_note(&all[0], row->user.name);
                else if (row->table == REGISTRY_DEVICE)
                        numbers_note(&all[1], row->device.code);
                else if (row->table == REGISTRY_VEHICLE)
                        numbers_note(&all[2], row->vehicle.code);
        }
        for (size_t i = 0; i < N_ELEMENTS(all); ++i)
                if (all[i].n > 0)
                        log_warning("name_is_a_number kind=%s n=%zu first=\"%s\" hint=\"it counts "
                                    "only where no id of another owner could be meant; new "
                                    "ones are refused\"",
                                    all[i].kind,
                                    all[i].n,
                                    all[i].first);
}
