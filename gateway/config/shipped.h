#pragma once

/*
 * Shipped: the profiles of deploy/profiles, which are built into the program, and those of a folder
 * of the site's own, which go before them.
 *
 * A profile is text in the form of a configuration: [profile] with `about` and `base`, and routes
 * with their maps. Reading them is the matter of config_use.c.
 */

#include <stdio.h>

#include "base/base.h"
#include "base/buf.h"

enum {
        SHIPPED_E_NONE = 1,
};

/* The text of a profile; @ret_where gets what to call it in front of a line number: its file, or
 * "profile NAME". @folder NULL: there is none. SHIPPED_E_NONE, -ENOMEM, or what came of reading. */
MUST_CHECK int shipped_read(const char *folder, const char *name, Buf *ret_text, Buf *ret_where);

/* All names, ascending, each once, of a folder that may not be there: owned by the caller, with
 * shipped_names_free(). */
MUST_CHECK int shipped_names(const char *folder, char ***ret_names, size_t *ret_n);
void shipped_names_free(char **names, size_t n);
