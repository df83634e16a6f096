#pragma once

/*
 * WsSite: the files of the dashboard, read into memory whole.
 *
 * Nothing of the file system is touched while it is served, so no path of a request can lead out of
 * the folder, and no disk holds the loop up. What is read: regular files in the folder and below,
 * no symbolic link, nothing whose name begins with a dot. A folder with more than the limits allow
 * is not served at all: half a page is none. Immutable; read by whoever made it.
 */

#include "base/base.h"
#include "base/buf.h"

#define WS_SITE_PATH_MAX 255 /* of a path that can be asked for */

typedef struct WsSite WsSite;
typedef struct WsSiteFile WsSiteFile;
typedef struct WsSiteOptions WsSiteOptions;

struct WsSiteOptions {
        const char *folder;
        const char *hosts; /* of pictures and tiles elsewhere, with commas between; NULL = none */
        int max_files;
        size_t max_bytes;
};

struct WsSiteFile {
        char *path; /* from the folder on: "/assets/app-1a2b.js" */
        Buf plain;
        Buf packed;    /* by gzip; empty: it would not be much less */
        uint64_t tag;  /* of the bytes */
        bool is_final; /* its name says which version it is: it never changes */
};

enum {
        WS_SITE_E_NONE = 1, /* no such folder, or no index.html in it */
        WS_SITE_E_UNREADABLE,
        WS_SITE_E_TOO_MANY,
        WS_SITE_E_TOO_LARGE,
};

/* Blocks, and not for long. @options: borrowed for the call. */
MUST_CHECK int ws_site_read(WsSite **ret_site, const WsSiteOptions *options);
WsSite *ws_site_free(WsSite *site);
const char *ws_site_why(int r); /* of WS_SITE_E_*, for the log */

const WsSiteFile *ws_site_find(const WsSite *site, const char *path); /* NULL: none */
/* The page for a path @depth levels below the root: <base href="./"> leads back to it. */
void ws_site_page(const WsSite *site, size_t depth, Buf *ret_page);
const char *ws_site_policy(const WsSite *site); /* Content-Security-Policy */
size_t ws_site_n_files(const WsSite *site);
size_t ws_site_n_bytes(const WsSite *site);

DEFINE_CLEANUP(WsSite *, ws_site_free);
