#pragma once

/*
 * Figures: what a node says of itself with its signs of life, for who asks any node of all.
 *
 * Numbers by name, from the counters of the whole process. Any thread.
 */

#include "base/base.h"
#include "base/buf.h"

void figures_write(Buf *buf); /* a JSON object; out of memory: buf_failed() */
