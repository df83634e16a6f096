#pragma once

/*
 * Bases: what the topics of a profile begin with, as the profile has it and as a route that uses it
 * says (docs/mapping.md, Profiles).
 *
 * A profile whose `base` is a list has several: $base is the first, $base2 the second. A route may
 * say all of them, or the first alone: the others then follow from it, by another last part, where
 * it ends as that of the profile does. Where it does not, they are not there. A profile with one
 * base has that one, commas and all. Pure.
 */

#include "base/base.h"
#include "base/buf.h"

#define BASES_MAX 4

typedef struct Bases Bases;

enum {
        BASES_E_TOO_MANY = 1, /* the route says more than the profile has, or that BASES_MAX */
        BASES_E_MISSING,      /* of a list, one has no character */
};

struct Bases {
        Buf items[BASES_MAX];
        bool are_there[BASES_MAX];
        size_t n; /* of the profile; 0: nothing is replaced */
};

/* @said NULL: the route says none. BASES_E_TOO_MANY, BASES_E_MISSING, -ENOMEM. */
MUST_CHECK int bases_read(Bases *bases, const char *usual, const char *said);
void bases_done(Bases *bases);

/* Does @text begin with one that is not there? */
bool bases_lack(Bases *bases, const char *text);
/* @text with each of them in its place. */
void bases_fill(Bases *bases, const char *text, Buf *out);
/* Of filters with commas between, too, where a {name} of a base is a level of any name, and
 * {name...} several. One that begins with a base that is not there is left out: it would be of
 * other topics. */
void bases_fill_filters(Bases *bases, const char *filters, Buf *out);

#define CLEANUP_BASES __attribute__((cleanup(bases_done)))
