#pragma once

/*
 * ConfigForm: what the texts of the table have to look like. Pure; private to config*.c.
 *
 * Refused is what could not work wherever it is used (a broker without a host, port 0), and what
 * would quietly stand for nothing (an item between two commas that is empty, an origin with a
 * path). What only the world can tell, such as whether a host has an address, is not asked here.
 */

#include "gateway/config/config_table.h"

/* What is allowed, if @text, which is not empty, is not of that form; NULL = it is. */
const char *config_form_fault(ConfigType type, const char *text);

/* No text of any key has a control character; one that is no path is UTF-8. */
bool config_form_is_text(ConfigType type, const char *text);
