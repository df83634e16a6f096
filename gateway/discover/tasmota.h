#pragma once

/*
 * Tasmota: what its own discovery says: `<mac>/config` (topics, relays, words) and `<mac>/sensors`
 * (what tele/…/SENSOR looks like, with values). Pure, but for what is found.
 */

#include "base/base.h"
#include "gateway/discover/findings.h"
#include "gateway/discover/notice.h"

typedef enum TasmotaPart {
        TASMOTA_NONE,
        TASMOTA_CONFIG,
        TASMOTA_SENSORS,
} TasmotaPart;

TasmotaPart tasmota_part(Text rest); /* behind a prefix */
/* The config of a device and, if they are known, its sensors (payload absent: not). What cannot be
 * taken is refused. -ENOMEM. */
MUST_CHECK int tasmota_read(Findings *findings, const Notice *config, Text sensors);
