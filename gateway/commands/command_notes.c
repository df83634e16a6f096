#include "gateway/commands/command_notes.h"

#include <poll.h>

#include "base/buf.h"
#include "base/err.h"
#include "base/json_out.h"

enum { NOTES_FULL_MS = 100 }; /* between tries while the journal is full */

bool command_notes_is_stopped(const CommandNotes *notes, int timeout_ms) {
        struct pollfd fd = { .fd = notes->stop_fd, .events = POLLIN };

        return poll(&fd, 1, timeout_ms) > 0;
}

int command_notes_take(const CommandNotes *notes, const Inbound *inbound) {
        int r;

        do
                r = notes->inbound(notes->arg, inbound);
        while (r == INBOUND_E_FULL && !command_notes_is_stopped(notes, NOTES_FULL_MS));
        return r < 0 ? err_up(r) : r;
}

int command_notes_say(const CommandNotes *notes,
                      const char *id,
                      int64_t device_id,
                      const char *state,
                      const char *message) {
        CLEANUP_BUF Buf payload = { 0 };
        JsonOut out = { .buf = &payload };
        int r;

        json_out_object(&out, NULL);
        json_out_string(&out, "command_id", id);
        json_out_string(&out, "state", state);
        if (message)
                json_out_string(&out, "message", message);
        json_out_object_end(&out);
        if (buf_failed(&payload))
                return err_new(-ENOMEM);
        r = command_notes_take(notes,
                               &(Inbound){ .door = DOOR_INTERNAL,
                                           .kind = KIND_COMMAND_STATE,
                                           .device_id = device_id,
                                           .topic = text_of(id),
                                           .payload = buf_text(&payload) });
        return r < 0 ? err_up(r) : r;
}
