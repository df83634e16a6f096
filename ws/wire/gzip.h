#pragma once

/*
 * WsGzip: files as gzip has them (RFC 1952), for whom Accept-Encoding names it. Pure.
 */

#include "base/base.h"

typedef struct Buf Buf;

void ws_gzip(Text plain, Buf *ret_packed); /* appends; failed: out of memory */
/* By its length and its checksum: is this what @packed was made of? */
bool ws_gzip_is_of(Text packed, Text plain);
