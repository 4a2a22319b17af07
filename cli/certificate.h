/* cli/certificate.h -- the certificate of one device: drafted from verified statements, checked against them, and shown.
 *
 * Everything that can be computed is computed, and a certificate that says anything else is refused: nobody signs a stronger word than
 * was seen. Only who made the device, its asset number, where it was done, where it goes, and further limits are people's own words.
 * The fields are those of NIST SP 800-88. Pure. */
#pragma once

#include "cli/retirement.h"

#include <jansson.h>

/* People's own words; NULL for none. */
struct certificate_words {
	const char *manufacturer, *asset, *place, *destination;
	const char *limits[4];
};

struct certificate_source {
	const struct retirement_facts *facts;
	const struct retirement *retirement;
	const struct statement *enrol, *admit, *snapshot; /* verified; snapshot: the newest, NULL for none */
};

/* The text, unsigned, appended to out. checkpoint: verified; covers all that is named; NULL where nothing was shredded yet. CLI_CONFLICT
 * when the device is not that far, with what is missing. */
int certificate_draft(struct buf *out, const struct certificate_source *source, const struct certificate_words *words,
		      const struct statement *checkpoint, int64_t now_s, struct error *err) _must_check_;
/* Does it say what its statements say, and nothing stronger? E_DENIED names the field. Signatures are not looked at. */
int certificate_check(const struct statement *certificate, const struct certificate_source *source, struct error *err) _must_check_;
/* Is what somebody said about shredding among what it names? One that leaves out what was there hides the copies that it tells of. */
bool certificate_names_shredded(const struct statement *certificate, const struct statement *shredded);

/* ---- as it is shown ---- */

struct certificate_view {
	const struct statement *certificate;
	const struct root *root;              /* whose keys its signatures are */
	const char *sum;                      /* SHA-256 of the bundle; NULL: it is not in one yet */
	const char *const *notes;             /* what the verifier has to say, NULL at the end; may be NULL */
};
void certificate_text(struct buf *out, const struct certificate_view *view, bool for_people);
json_t *certificate_json(const struct certificate_view *view);
/* One page that can be printed: nothing is loaded, nothing runs, all text is escaped. */
void certificate_html(struct buf *out, const struct certificate_view *view);
