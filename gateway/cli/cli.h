#pragma once

/*
 * Cli: the command line of docs/protocol.md, 7. Exit codes: 0 clean, 1 fault, 2 usage or
 * configuration.
 *
 * cli.c parses and dispatches; the commands live in a file each: cli_serve.c, cli_import.c,
 * cli_route.c and cli_profiles.c (route), cli_admin.c (user, device, vehicle, group) and so on.
 */

#include "base/base.h"

int cli_main(int argc, char *argv[]); /* returns the exit code */
