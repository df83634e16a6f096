#include "ws/dialects/admission.h"

#include "ws/viewer/client.h"

int ws_admission_any(WsClient *client, const WsIdentity *identity, Text target) {
        (void)target;
        client->user_id = identity->user ? identity->user->id : 0;
        client->generation = identity->user ? identity->user->generation : 0;
        client->sees_all = !identity->user || identity->user->role == ROLE_ADMIN;
        client->expires_us = identity->expires_us;
        return 0;
}

bool ws_admission_sees_vehicle(const WsClient *client,
                               const WsIdentity *identity,
                               const Vehicle *vehicle) {
        return vehicle && (client->sees_all || user_sees_vehicle(identity->user, vehicle));
}

int ws_admission_unseen(const WsClient *client) {
        return client->sees_all ? 404 : 403;
}
