#pragma once

/*
 * Weight: is this JSON of a client light enough to be read as a whole?
 *
 * json-c makes up to 900 bytes of two ("{}"): a MiB of them would be 300 MB, and a fifth of a
 * second of the loop. So whatever is read into json-c has at most so many arrays and objects, and
 * so many members and elements; what has more is treated as what is no JSON. Pure, one pass.
 */

#include "base/base.h"

#define WS_WEIGHT_CONTAINERS 16384
#define WS_WEIGHT_ITEMS      65536

bool ws_weight_is_light(Text json);
