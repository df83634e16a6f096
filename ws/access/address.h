#pragma once

/*
 * WsAddress: an internet address in one form: 16 bytes, an IPv4 address as the IPv6 address it is
 * mapped to. So what is the same address is the same, however it came. Pure.
 */

#include "base/base.h"

#define WS_ADDRESS_TEXT_SIZE 46
#define WS_ADDRESS_V4_BITS   96 /* of a mapped address, before the IPv4 one begins */

typedef struct WsAddress WsAddress;
struct sockaddr;

struct WsAddress {
        uint8_t bytes[16];
};

bool ws_address_read(Text text, WsAddress *ret_address); /* nothing but the address */
/* As proxies write it: with a port behind it, and [v6]:port. */
bool ws_address_read_with_port(Text text, WsAddress *ret_address);
bool ws_address_of(const struct sockaddr *sockaddr, WsAddress *ret_address);
WsAddress ws_address_v4(const void *bytes); /* 4 of them, in network order */
bool ws_address_is_v4(const WsAddress *address);
void ws_address_text(const WsAddress *address, char ret_text[WS_ADDRESS_TEXT_SIZE]);
