#include "ws/hub/touched.h"

#include "base/err.h"
#include "base/index.h"
#include "base/vec.h"
#include "model/registry.h"

#define WS_TOUCHED_PIECE 20000 /* devices that a piece of the walk looks at */

int ws_touched_init(WsTouched *touched) {
        *touched = (WsTouched){ 0 };
        return err_up(index_new(&touched->known));
}

void ws_touched_done(WsTouched *touched) {
        if (touched->known)
                index_free(touched->known);
        free(touched->ids);
        *touched = (WsTouched){ 0 };
}

int ws_touched_note(WsTouched *touched, int64_t device_id) {
        int r;

        if (index_get_id(touched->known, device_id))
                return 0;
        if (!VEC_HAS_ROOM(touched->ids, touched->n_ids, touched->n_allocated, 64))
                return err_new(-ENOMEM);
        r = index_put_id(touched->known, device_id, touched);
        if (r < 0)
                return err_up(r);
        touched->ids[touched->n_ids++] = device_id;
        return 0;
}

/* Those that were taken are left in front until all are, or they are the most. */
static void ws_touched_tidy(WsTouched *touched) {
        if (touched->n_taken * 2 < touched->n_ids)
                return;
        touched->n_ids -= touched->n_taken;
        memmove(touched->ids,
                touched->ids + touched->n_taken,
                touched->n_ids * sizeof(*touched->ids));
        touched->n_taken = 0;
}

bool ws_touched_take(WsTouched *touched, int64_t *ret_device_id) {
        if (touched->n_taken == touched->n_ids)
                return false;
        *ret_device_id = touched->ids[touched->n_taken++];
        index_remove_id(touched->known, *ret_device_id);
        ws_touched_tidy(touched);
        return true;
}

static bool ws_touched_ended(const WsTouched *touched, const DeviceState *state) {
        return !*state->status && device_is_heard(state, touched->before_us) &&
               !device_is_heard(state, touched->now_us);
}

int ws_touched_walk(WsTouched *touched, const Registry *registry, int64_t now_us) {
        const Device *device = NULL;
        int r = 0;

        if (touched->after_id == 0) {
                touched->before_us = touched->now_us ? touched->now_us : now_us;
                touched->now_us = now_us;
        }
        for (int i = 0; r == 0 && i < WS_TOUCHED_PIECE; ++i) {
                device = registry_next_device(registry, touched->after_id);
                touched->after_id = device ? device->id : 0;
                if (!device)
                        break;
                if (ws_touched_ended(touched, &device->state))
                        r = ws_touched_note(touched, device->id);
        }
        return err_up(r);
}
