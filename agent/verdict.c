/* agent/verdict.c -- what the policies of a device say of its configuration, as a statement of its chain. */
#include "agent/verdict.h"

#include "agent/snapshot-parts.h"

/* A seal hides no length, so what is in the clear is all that the archive learns but for how much was found, in steps. */
static void add_clear(struct buf *text, const struct verdict_sum *sum, enum metadata level)
{
	if (level == METADATA_MINIMAL)
		return;
	for (unsigned i = 0; i < STANDINGS; i++)
		statement_add(text, standing_name((enum standing)i), "%llu", (unsigned long long)sum->counts[i]);
	for (size_t i = 0; level == METADATA_SECTIONS && i < sum->section_count; i++)
		statement_add(text, "section", "%s", sum->sections[i]);
}

int verdict_make(struct chain *c, const struct verdict_input *in, const struct snapshot_by *by, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 }, sealed = { 0 };

	if (!c->epoch || !c->running_since)
		return error_set(err, E_FORMAT, "there is no snapshot that could be judged");
	if (seal_text(&sealed, &c->body, buf_bytes(&in->sum->findings), (struct bytes){ 0 }, err) < 0)
		return error_add(err, "findings");
	statement_begin(&text, STATEMENT_VERDICT);
	chain_add_head(&text, c, by);
	statement_add(&text, "epoch", "%llu", (unsigned long long)c->epoch);
	statement_add(&text, "root", "%llu", (unsigned long long)root_version(by->root));
	chain_add_checkpoint(&text, by);
	statement_add_point(&text, "snapshot", c->running_since, c->running_hash);
	statement_add_point(&text, "policy", in->order, in->leaf);
	add_clear(&text, in->sum, root_metadata(by->root));
	statement_add_seal(&text, "findings", c->number + 1, buf_bytes(&sealed));
	return chain_finish(c, &text, buf_bytes(&sealed), by, err);
}
