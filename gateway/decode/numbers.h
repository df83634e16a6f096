#pragma once

/*
 * Numbers: a word of warning about users, devices and vehicles that are called like an id.
 *
 * They were allowed once, and keep working as long as nothing else could be meant. One line a kind.
 */

#include "base/base.h"
#include "model/registry.h"

void numbers_warn(const RegistryDelta *delta); /* a whole one */
