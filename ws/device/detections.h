#pragma once

/*
 * WsDetections: what a BLE receiver posts (dialect A), checked as far as its sender has to know.
 *
 * The processor decodes it again, by the rules of its route, and sets aside what cannot be used; a
 * body in which nothing can be used is refused here already. Pure.
 */

#include "base/base.h"

typedef struct WsDetections WsDetections;

struct WsDetections {
        char device[129]; /* device_id of the body; "" if it has none */
        size_t n_items, n_good;
};

/* NULL, or what is wrong with it: static. @is_single: one detection, with no list around it. */
const char *ws_detections_read(Text json, bool is_single, WsDetections *ret_detections);
