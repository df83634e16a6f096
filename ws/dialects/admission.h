#pragma once

/* WsAdmission: who may open a path, as most dialects have it. For their tables. Loop thread. */

#include "base/base.h"
#include "model/account.h"
#include "ws/access/access.h"

typedef struct WsClient WsClient;

/* Admits everybody who is somebody, or anonymous where auth.anonymous allows the path. */
int ws_admission_any(WsClient *client, const WsIdentity *identity, Text target);
/* Of one who was admitted by that. @vehicle may be NULL, which nobody sees. */
bool ws_admission_sees_vehicle(const WsClient *client,
                               const WsIdentity *identity,
                               const Vehicle *vehicle);
/* The status for a path that names what this client does not see: whether there is such a thing
 * learns only who sees all. */
int ws_admission_unseen(const WsClient *client);
