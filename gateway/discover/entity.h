#pragma once

/*
 * Entity: what Home Assistant's discovery says: one entity (`<component>/[<node>/]<object>/config`)
 * or one device with all that it has (`device/<object>/config`).
 *
 * Keys may be short, `~` at either end of a topic is the base. Pure, but for what is found.
 */

#include "base/base.h"
#include "gateway/discover/findings.h"
#include "gateway/discover/notice.h"

bool entity_is_notice(Text rest); /* behind a prefix: is it such a topic? */
/* What cannot be taken is refused. -ENOMEM. */
MUST_CHECK int entity_read(Findings *findings, const Notice *notice);
