/* cli/advisory-import.h -- advisories from files, folders, archives and standard input into the store.
 *
 * FILE.sha256 or FILE.sha512 beside a file, and FILE.asc where a keyring is given, are verified before the file is read; an archive
 * (.tar, .tar.gz, .tar.zst, .tar.xz) is unpacked into a folder of the store, without its folders, and is gone afterwards. One file that
 * cannot be taken does not stop the others: it is counted and listed. */
#pragma once

#include "cli/advisory-store.h"

#include "crypto/root.h"

enum {
	IMPORT_FILES_MAX = 400000,
	IMPORT_TOTAL_MAX = 2047 << 20, /* bytes of one archive, unpacked */
	IMPORT_PROBLEMS_MAX = 1000,    /* that are listed; all are counted */
};

struct advisory_import {
	struct advisory_store *store;
	const struct root *root; /* judges judgements; NULL: they are not taken */
	const char *fleet;
	const char *keyring;   /* path; NULL: signatures are not looked at */
	const char *signature; /* path, of the one file that is given; NULL: beside it */
	bool needs_checksum;
	bool is_again; /* from the network: also what was taken before */
	size_t unchanged, skipped; /* of feeds: what was taken before; entries that name nothing that can be had */
	size_t taken[TAKEN_COUNT], judgements, files, refused, unclear, notes;
	json_t *problems;     /* [{"file", "problem"}] */
	json_t *unclear_list; /* [{"id", "notes": [...]}] */
	char *vouched;        /* "signature ..." of the archive that is being read, for all that is in it */
};

void advisory_import_init(struct advisory_import *im, struct advisory_store *store);
void advisory_import_done(struct advisory_import *im);
/* "-" for standard input. Fails where nothing more can be done: no such path, no disk. */
int advisory_import_source(struct advisory_import *im, const char *path, struct error *err) _must_check_;

/* For cli/advisory-fetch.h. One document that is there: checked by what lies beside path, and called name where it is refused. */
int advisory_import_bytes(struct advisory_import *im, const char *name, const char *path, struct bytes in, struct error *err) _must_check_;
void advisory_import_refuse(struct advisory_import *im, const char *name, const char *problem);
