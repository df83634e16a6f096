#pragma once

/*
 * WsParty: whose share a thing comes out of, as one number: a user, a device, or an address for
 * those who have shown no credential. 0 is nobody (the gateway itself).
 *
 * Of an IPv6 address the first 64 bits count: that is what one subscriber has (RFC 6177), and he
 * can take any of the rest. An IPv4 address counts as it is, also where it is mapped into IPv6.
 */

#include "base/base.h"

#define WS_PARTY_TEXT_SIZE 20

uint64_t ws_party_user(int64_t user_id);
uint64_t ws_party_device(int64_t device_id);
uint64_t ws_party_address(const char *source); /* as text; all that are none are one */

/* The user, or else the device, or else the address; an id of 0 is none. */
uint64_t ws_party_of(int64_t user_id, int64_t device_id, const char *source);

/* Of an address: what its provider has, roughly: IPv4 a /16, IPv6 a /32; no party. */
uint64_t ws_party_network(uint64_t address);

void ws_party_text(uint64_t party, char ret_text[WS_PARTY_TEXT_SIZE]); /* a name for tables */
