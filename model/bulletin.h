#pragma once

/*
 * Bulletin: the newest text about something, from the part of the process that knows it, for
 * whoever is asked: neither has to know whether the other is there yet, or still. Any thread; a
 * text is copied both ways.
 */

#include "base/base.h"
#include "base/buf.h"

typedef enum BulletinSubject {
        BULLETIN_UNROUTED,   /* JSON: what mqtt.explore has seen that no route takes */
        BULLETIN_DISCOVERED, /* JSON: what devices have announced */
        BULLETIN_COUNT
} BulletinSubject;

/* In place of what there was. -ENOMEM: all is as it was. */
MUST_CHECK int bulletin_put(BulletinSubject subject, Text text);
void bulletin_clear(BulletinSubject subject); /* there is nothing to tell */
/* Appends what there is; false: nothing. */
bool bulletin_get(BulletinSubject subject, Buf *buf);
