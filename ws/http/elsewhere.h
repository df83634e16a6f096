#pragma once

/*
 * WsElsewhere: what the origin systems do by HTTP and this gateway does not: how the system itself
 * is set up, and who may use it. Whoever asks is told where the manual says how it is done. Pure.
 */

#include "base/base.h"

const char *ws_elsewhere(const char *path); /* the page of the manual; NULL: nobody's path */
