#pragma once

/* WsMedia: what the end of a file's name says of its content. Pure. */

#include "base/base.h"

typedef struct WsMedia WsMedia;

struct WsMedia {
        const char *end, *type;
        bool packs; /* packing it by gzip is worth the while */
};

const WsMedia *ws_media_of(const char *name); /* never NULL */
