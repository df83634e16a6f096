#include "ws/viewer/members.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/err.h"
#include "base/ids.h"
#include "base/vec.h"

#define WS_MEMBERS_VEHICLE (INT64_C(1) << 62)

static int64_t ws_members_key(WsThing thing) {
        return thing.vehicle_id != 0 ? thing.vehicle_id | WS_MEMBERS_VEHICLE : thing.device_id;
}

/* The finalizer of splitmix64: sums of what it gives do not meet by chance. */
static uint64_t ws_members_mix(int64_t key) {
        uint64_t x = (uint64_t)key + UINT64_C(0x9e3779b97f4a7c15);

        x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
        x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
        return x ^ (x >> 31);
}

static void ws_members_count(WsMembers *members, size_t n_before) {
        if (members->n_all)
                *members->n_all = *members->n_all + members->n - n_before;
}

void ws_members_clear(WsMembers *members) {
        size_t n_before = members->n;

        members->n = 0;
        members->sum = 0;
        ws_members_count(members, n_before);
}

void ws_members_done(WsMembers *members) {
        ws_members_clear(members);
        free(members->keys);
        *members = (WsMembers){ 0 };
}

/* The first that is not below @key. */
static size_t ws_members_at(const WsMembers *members, int64_t key) {
        size_t low = 0, high = members->n;

        if (high > 0 && members->keys[high - 1] < key) /* as they come in a snapshot */
                return high;
        while (low < high) {
                size_t middle = low + (high - low) / 2;

                if (members->keys[middle] < key)
                        low = middle + 1;
                else
                        high = middle;
        }
        return low;
}

bool ws_members_have(const WsMembers *members, WsThing thing) {
        return ids_have(members->keys, members->n, ws_members_key(thing));
}

int ws_members_add(WsMembers *members, WsThing thing) {
        int64_t key = ws_members_key(thing);
        size_t at = ws_members_at(members, key);

        if (at < members->n && members->keys[at] == key)
                return 0;
        if (!VEC_HAS_ROOM(members->keys, members->n, members->capacity, 16))
                return err_new(-ENOMEM);
        memmove(members->keys + at + 1,
                members->keys + at,
                (members->n - at) * sizeof(*members->keys));
        members->keys[at] = key;
        members->sum += ws_members_mix(key);
        ++members->n;
        ws_members_count(members, members->n - 1);
        return 0;
}

void ws_members_remove(WsMembers *members, WsThing thing) {
        int64_t key = ws_members_key(thing);
        size_t at = ws_members_at(members, key);

        if (at == members->n || members->keys[at] != key)
                return;
        --members->n;
        memmove(members->keys + at,
                members->keys + at + 1,
                (members->n - at) * sizeof(*members->keys));
        members->sum -= ws_members_mix(key);
        ws_members_count(members, members->n + 1);
}

bool ws_members_include(const WsMembers *members, const WsMembers *others) {
        for (size_t i = 0; i < others->n; ++i)
                if (!ids_have(members->keys, members->n, others->keys[i]))
                        return false;
        return true;
}

WsThing ws_members_next(const WsMembers *members, WsThing after) {
        size_t at = ws_members_at(members, ws_members_key(after) + 1);
        int64_t key = at < members->n ? members->keys[at] : 0;

        if (key & WS_MEMBERS_VEHICLE)
                return (WsThing){ .vehicle_id = key & ~WS_MEMBERS_VEHICLE };
        return (WsThing){ .device_id = key };
}

const char *ws_members_text(const WsMembers *members, char ret_text[WS_MEMBERS_TEXT_SIZE]) {
        snprintf(ret_text, WS_MEMBERS_TEXT_SIZE, "%zu.%016" PRIx64, members->n, members->sum);
        return ret_text;
}
