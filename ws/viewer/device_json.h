#pragma once

/* The JSON of a device as clients see it: the object D of docs/protocol.md, 3 C, as of now. */

#include "base/json_out.h"
#include "model/account.h"

void ws_device_json(JsonOut *out, const char *name, const Device *device);
/* And what its clock is worth: not for the clients of dialect C. */
void ws_device_clock_json(JsonOut *out, const char *name, const Device *device);

void ws_clock_json(JsonOut *out, const DeviceClock *clock); /* its member `clock` */

void ws_device_update_json(Buf *buf, const Device *device); /* the message about one */
