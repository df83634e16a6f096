#pragma once

/*
 * Points: what was found, as routes, and as JSON for people.
 */

#include "base/base.h"
#include "base/buf.h"
#include "gateway/discover/findings.h"

/* A route for each topic, behind what @routes has. */
MUST_CHECK int points_add_routes(const Findings *findings, Routes *routes);
/* Of all that its routes are made of: another one means other routes. */
uint64_t points_hash(const Findings *findings);
/* An object: devices with their points, and what was refused. Check buf_failed(). */
void points_write(const Findings *findings, int64_t now_us, Buf *buf);
