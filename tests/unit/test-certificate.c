/* tests/unit/test-certificate.c -- a certificate of retirement says no more than what was seen; its page shows that and runs nothing. */
#include "tests/test.h"
#include "tests/unit/story.h"

#include "cli/cli.h"

#include <stdio.h>

/* ---- what holds ---- */

TEST(a_retirement_is_proved_to_whoever_knows_the_fleets_id)
{
	for (int lost = 0; lost < 2; lost++) {
		for (int dismissed = 0; dismissed < 2; dismissed++) {
			struct error err = { 0 };
			struct world w;

			world_whole(&w, &(struct story){ .is_lost = lost, .is_dismissed = dismissed });
			CHECK_OK(judge(&w, &err));
			world_done(&w);
		}
	}
}

TEST(what_is_proved_is_told_no_stronger_than_it_was_seen)
{
	static struct bundle_proof p;
	struct bundle_trust trust = { 0 };
	struct error err = { 0 };
	struct world w;

	world_whole(&w, &(struct story){ 0 });
	trust.fleet = w.fleet.id;
	CHECK_OK(bundle_verify(&p, &w.bundle, &trust, &err));
	CHECK_STR(statement_get(p.certificate, "state"), "wiped");
	CHECK_STR(statement_get(p.certificate, "category"), "clear"); /* the weakest area, and a maker's purge is none */
	CHECK_STR(statement_get(p.certificate, "evidence"), "read-back");
	CHECK_STR(statement_get(p.certificate, "performed"), "alice");
	CHECK_STR(statement_at(p.certificate, "verified", 0), "carol");
	CHECK_EQ(statement_count(p.certificate, "shredded"), 3);
	CHECK_EQ(statement_count(p.certificate, "copy"), 2);
	CHECK_STR(statement_get(p.certificate, "firmware"), "FRRouting 8.4.4");
	CHECK_EQ(statement_count(p.certificate, "limit"), 5);
	CHECK(p.witness_count == 1 && !strcmp(p.witnesses[0].name, "tower") && !p.witnesses[0].has_certificate);
	CHECK_EQ(p.retirement.state, RETIREMENT_CERTIFIED);
	bundle_proof_done(&p);
	world_done(&w);

	world_whole(&w, &(struct story){ .is_lost = true });
	trust.fleet = w.fleet.id;
	CHECK_OK(bundle_verify(&p, &w.bundle, &trust, &err));
	CHECK_STR(statement_get(p.certificate, "state"), "lost");
	CHECK_STR(statement_get(p.certificate, "category"), "none");
	CHECK_STR(statement_get(p.certificate, "evidence"), "nothing");
	CHECK(strstr(statement_at(p.certificate, "limit", 2), "device side not confirmed"));
	bundle_proof_done(&p);
	world_done(&w);
}

TEST(the_exported_roots_serve_as_the_fleets_id_does)
{
	static struct bundle_proof p;
	struct error err = { 0 };
	struct world w, other;
	struct facts ours, theirs;

	world_whole(&w, &(struct story){ .is_dismissed = true });
	world_whole(&other, &(struct story){ .lowers_threshold = true });
	gather(&ours, &w);
	gather(&theirs, &other);
	for (size_t n = 1; n <= 2; n++) { /* an export from before the second root serves, too */
		CHECK_OK(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .roots = ours.roots, .root_count = n }, &err));
		bundle_proof_done(&p);
	}
	CHECK_EQ(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .roots = theirs.roots, .root_count = 1 }, &err), E_SEAL);
	CHECK(strstr(err.text, "its root 1 is another one than yours"));
	CHECK_EQ(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .fleet = other.fleet.id }, &err), E_DENIED);
	facts_done(&ours);
	facts_done(&theirs);
	world_done(&w);
	world_done(&other);
}

/* ---- drafting ---- */

static void no_draft(const struct story *story, int code, const char *says)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	_cleanup_(statement_freep) struct statement *head = NULL;
	struct error err = { 0 };
	struct facts f;
	struct world w;

	world_init(&w, story);
	gather(&f, &w);
	head = head_of(&w, w.leaf_count, BY(ARCHIVE));
	CHECK_EQ(certificate_draft(&text, &f.source, &words, head, w.now_s, &err), code);
	if (!strstr(err.text, says))
		fail_msg("'%s' does not say '%s'", err.text, says);
	CHECK_EQ(text.len, 0);
	facts_done(&f);
	world_done(&w);
}

TEST(nothing_is_certified_before_everybody_has_said_that_it_is_gone)
{
	no_draft(&(struct story){ .hides_bob = true }, CLI_CONFLICT, "bob did not say that what they kept is destroyed");
	no_draft(&(struct story){ .areas = "area: flash method=menu claimed=purge seen=accepted result=partial\n", .outcome = "failed" },
		 E_SEAL, "the erasure that it had to wait for was not done");
	no_draft(&(struct story){ .areas = "area: flash method=menu claimed=purge seen=accepted result=partial\n" }, E_SEAL,
		 "cannot be certified");
}

static const char *category_of(const char *areas)
{
	static char out[64];
	_cleanup_(buf_done) struct buf text = { 0 };
	struct facts f;
	struct world w;
	const char *at;

	world_init(&w, &(struct story){ .areas = areas });
	w.log_size = w.leaf_count;
	gather(&f, &w);
	draft(&text, &w, &f);
	at = strstr(buf_text(&text), "\ncategory: ");
	CHECK(at);
	CHECK(sscanf(at, "\ncategory: %63s", out) == 1);
	facts_done(&f);
	world_done(&w);
	return out;
}

TEST(a_category_is_that_of_the_weakest_area)
{
	CHECK_STR(category_of("area: a method=m claimed=purge seen=read-back result=done\n"), "purge");
	CHECK_STR(category_of("area: a method=m claimed=purge seen=read-back result=done\narea: b method=m claimed=clear seen=read-back "
			      "result=done\n"),
		  "clear");
	CHECK_STR(category_of("area: a method=m claimed=vendor-purge seen=seen-after-reboot result=done\n"), "clear");
	CHECK_STR(category_of("area: a method=m claimed=purge seen=read-back result=done\narea: b method=m claimed=none seen=read-back "
			      "result=done\n"),
		  "none");
	CHECK_STR(category_of("area: a method=m claimed=purge seen=nothing result=done\n"), "none");
}

/* ---- the page ---- */

/* Every tag is closed in its place, every & begins one of the five entities, and there is no other <. */
static void check_well_formed(const char *page)
{
	char open[32][16];
	size_t depth = 0;

	CHECK(!strncmp(page, "<!DOCTYPE html>\n", 16));
	for (const char *at = page + 16; *at; at++) {
		char name[16] = "";
		const char *end;

		if (*at == '&')
			CHECK(!strncmp(at, "&amp;", 5) || !strncmp(at, "&lt;", 4) || !strncmp(at, "&gt;", 4) || !strncmp(at, "&quot;", 6) ||
			      !strncmp(at, "&#39;", 5));
		if (*at != '<')
			continue;
		CHECK(sscanf(at + 1 + (at[1] == '/'), "%15[a-z0-9]", name) == 1);
		end = strchr(at, '>');
		CHECK(end);
		if (at[1] == '/') {
			CHECK(depth);
			CHECK_STR(open[--depth], name);
		} else if (end[-1] != '/') {
			CHECK(depth < ARRAY_SIZE(open));
			memcpy(open[depth++], name, sizeof(name));
		}
		at = end;
	}
	CHECK_EQ(depth, 0);
}

static void show(struct buf *page, struct buf *text, json_t **json, const char *sum)
{
	static struct bundle_proof p;
	static const char *const notes[] = { "a <note>", NULL };
	struct error err = { 0 };
	struct world w;
	struct certificate_view view;

	world_whole(&w, &(struct story){ 0 });
	CHECK_OK(bundle_verify(&p, &w.bundle, &(struct bundle_trust){ .fleet = w.fleet.id }, &err));
	view = (struct certificate_view){ p.certificate, p.roots[p.root_count - 1], sum, notes };
	certificate_html(page, &view);
	certificate_text(text, &view, true);
	*json = certificate_json(&view);
	bundle_proof_done(&p);
	world_done(&w);
}

TEST(the_page_is_well_formed_loads_nothing_runs_nothing_and_escapes_all_text)
{
	_cleanup_(buf_done) struct buf page = { 0 }, text = { 0 };
	static const char sum[] = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
	static const char *const bad[] = { "<script", "javascript:", "src=",   "href=",   "url(",    "@import",
					   "<link",   "<img",        "onload", "http://", "https://" };
	json_t *json;

	show(&page, &text, &json, sum);
	check_well_formed(buf_text(&page));
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		if (strstr(buf_text(&page), bad[i]))
			fail_msg("the page has '%s'", bad[i]);
	CHECK(strstr(buf_text(&page), "Maker &amp; Sons &lt;script&gt;alert(1)&lt;/script&gt;"));
	CHECK(strstr(buf_text(&page), "hall &quot;3&quot;") && strstr(buf_text(&page), "the label &#39;x&#39; stays"));
	CHECK(strstr(buf_text(&page), sum) && strstr(buf_text(&page), "a &lt;note&gt;"));
	CHECK(strstr(buf_text(&page), "default-src 'none'"));
	CHECK(strstr(buf_text(&text), "device-name") == NULL && strstr(buf_text(&text), "sw1") && strstr(buf_text(&text), "alice SHA256:"));
	CHECK_STR(json_string_value(json_object_get(json, "category")), "clear");
	CHECK_EQ(json_array_size(json_object_get(json, "area")), 2);
	CHECK_EQ(json_array_size(json_object_get(json, "signatures")), 3);
	CHECK_STR(json_string_value(json_object_get(json, "sum")), sum);
	json_decref(json);
}
