#pragma once

/*
 * Slug: a name of others as the name of a member: small letters, digits and _ between. Pure.
 */

#include "base/base.h"

#define SLUG_SIZE 44 /* with a NUL */

void slug_of(Text text, char ret[SLUG_SIZE]); /* "" if nothing is left */
/* Without what @slug begins with, if something is left then. */
void slug_cut(char slug[SLUG_SIZE], const char *prefix);
void slug_add(char slug[SLUG_SIZE], const char *suffix); /* with _ between; cut if it is too long */
