#pragma once

/*
 * FakePaho: a client of MQTT whose broker says what some bytes say, in place of libpaho: each
 * request takes the next of them, and is answered before it returns. With none left, the connection
 * is lost.
 */

#include "base/base.h"

void fake_paho_set(Text script);
bool fake_paho_has_more(void);
