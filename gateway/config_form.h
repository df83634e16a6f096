#pragma once

/* ConfigForm: what the texts of the table have to look like. Pure; private to config*.c. */

#include "gateway/config_table.h"

/* No text of any key has a control character; one that is no path is UTF-8. */
bool config_form_is_text(ConfigType type, const char *text);
