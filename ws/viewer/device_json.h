#pragma once

/* The JSON of a device as clients see it: the object D of PROTOCOL 3 C, as of now. */

#include "base/buf.h"
#include "model/account.h"

void ws_device_json(Buf *buf, const Device *device);
/* And what its clock is worth: not for the clients of dialect C. */
void ws_device_clock_json(Buf *buf, const Device *device);

void ws_device_update_json(Buf *buf, const Device *device); /* the message about one */
