/* cli/preview.c -- what an order makes of one device's configuration. */
#include "cli/preview.h"

#include "cli/mask.h"
#include "cli/show.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char dots[] = "••••••••"; /* what cat and diff show for a secret */

void preview_done(struct preview *c)
{
	buf_done(&c->payload);
	buf_done(&c->diff);
	*c = (struct preview){ 0 };
}

/* ---- secrets ---- */

int preview_reveal(struct buf *out, const struct opened *opened, const struct buf *text, struct error *err)
{
	_cleanup_(mask_done) struct mask mask = { .by = MASK_BY_TOKEN };
	_cleanup_(buf_done) struct buf numbered = { 0 };
	int r = mask_number(&numbered, &mask, buf_bytes(text), buf_bytes(&opened->secrets), 0, err);

	return r < 0 ? r : mask_show(out, &mask, buf_bytes(&numbered), true, false, false, err);
}

/* A tokenised text and what its tokens stand for. */
struct side {
	struct bytes text, secrets;
	const char *name; /* its head in a diff */
};

/* Numbers both texts, so that equal secrets have equal numbers. */
static int number_both(struct buf out[static 2], struct mask *mask, const struct side *from, const struct side *to, struct error *err)
{
	int r = mask_number(&out[0], mask, from->text, from->secrets, 0, err);

	return r < 0 ? r : mask_number(&out[1], mask, to->text, to->secrets, 1, err);
}

static void sides_done(struct buf *sides)
{
	buf_done(&sides[0]);
	buf_done(&sides[1]);
}

/* ---- what may be written ---- */

static struct bytes trim(struct bytes line)
{
	while (line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t'))
		line = bytes_from(line, 1);
	while (line.len && strchr(" \t\r", line.ptr[line.len - 1]))
		line.len--;
	return line;
}

/* What cat prints is no configuration while its secrets are dots. */
static int check_lines(const struct form *form, struct bytes text, struct error *err)
{
	struct bytes line;
	const char *why;

	for (size_t number = 1; bytes_next_line(&text, &line); number++) {
		if (line.len && memmem(line.ptr, line.len, dots, sizeof(dots) - 1))
			return error_set(err, E_FORMAT, "line %zu holds a masked secret, not the secret (cat --reveal shows it)", number);
		why = form->line_refused(line);
		if (why) { /* the rest of the line may be a secret */
			const uint8_t *end;

			line = trim(line);
			end = memchr(line.ptr, ' ', line.len);
			return error_set(err, E_FORMAT, "line %zu, '%.*s', cannot be entered: %s", number,
					 end ? (int)(end - line.ptr) : (int)line.len, (const char *)line.ptr, why);
		}
	}
	return 0;
}

/* ---- lines of a text, each with the head of its block ---- */

struct place {
	struct bytes head, line; /* head empty on the top level */
};

struct places {
	size_t count;
	struct place *at;
};

static void places_done(struct places *p)
{
	free(p->at);
}

static void add_place(struct places *p, struct bytes head, struct bytes line)
{
	if (!(p->count & (p->count - 1)))
		p->at = mem_grow(p->at, (p->count ? 2 * p->count : 1) * sizeof(*p->at));
	p->at[p->count++] = (struct place){ head, line };
}

static struct places places_of(const struct form *form, struct bytes text)
{
	struct bytes line, head = { 0 };
	struct places p = { 0 };

	while (bytes_next_line(&text, &line)) {
		struct bytes body = trim(line);

		if (!body.len || body.ptr[0] == '!' || body.ptr[0] == '#')
			continue;
		if (!form->is_inside(line)) {
			head = (struct bytes){ 0 };
			add_place(&p, head, body);
			head = body;
		} else {
			add_place(&p, head, body);
		}
	}
	return p;
}

static int by_place(const void *pa, const void *pb)
{
	const struct place *a = pa, *b = pb;
	size_t lens[2][2] = { { a->head.len, b->head.len }, { a->line.len, b->line.len } };
	const uint8_t *ptrs[2][2] = { { a->head.ptr, b->head.ptr }, { a->line.ptr, b->line.ptr } };

	for (int i = 0; i < 2; i++) {
		size_t least = lens[i][0] < lens[i][1] ? lens[i][0] : lens[i][1];
		int r = least ? memcmp(ptrs[i][0], ptrs[i][1], least) : 0;

		if (r || lens[i][0] != lens[i][1])
			return r ? r : lens[i][0] < lens[i][1] ? -1 : 1;
	}
	return 0;
}

static void sort_places(struct places *p)
{
	if (p->count)
		qsort(p->at, p->count, sizeof(*p->at), by_place);
}

static bool has_place(const struct places *sorted, const struct place *place)
{
	return sorted->count && bsearch(place, sorted->at, sorted->count, sizeof(*place), by_place);
}

/* ---- the management address ---- */

static bool is_word_char(uint8_t c)
{
	return c != ' ' && c != '\t' && c != '/';
}

/* Does the address stand in the line, as a word of its own, with or without a prefix length? */
static bool holds_address(struct bytes line, const char *address)
{
	size_t len = strcspn(address, "/");
	const uint8_t *end = line.ptr + line.len, *at = line.ptr;

	while (len && at < end && (at = memmem(at, (size_t)(end - at), address, len))) {
		if ((at == line.ptr || !is_word_char(at[-1])) && (at + len == end || !is_word_char(at[len])))
			return true;
		at++;
	}
	return false;
}

/* Blocks (interfaces) that give the management address now: whatever changes inside them may cut it off. */
static bool is_way(const struct places *base, struct bytes head, const char *address)
{
	for (size_t i = 0; i < base->count && head.len; i++)
		if (bytes_equal(base->at[i].head, head) && holds_address(base->at[i].line, address))
			return true;
	return false;
}

static bool touches(const struct preview_input *in, const struct places *base, const struct place *place)
{
	struct bytes head = place->head.len ? place->head : place->line;

	if (!*in->management)
		return in->form->is_address(place->head, place->line);
	if (holds_address(place->line, in->management))
		return true;
	if (in->form->is_remark && in->form->is_remark(place->line))
		return false;
	if (bytes_from(place->line, 3).len && !memcmp(place->line.ptr, "no ", 3) && !place->head.len)
		head = bytes_from(place->line, 3);
	return is_way(base, head, in->management);
}

static void note_touched(struct preview *c, const struct preview_input *in, const struct places *base, const struct place *place)
{
	if (c->touches_address || !touches(in, base, place))
		return;
	c->touches_address = true;
	snprintf(c->touched, sizeof(c->touched), "%.*s%s%.*s", (int)(place->head.len > 80 ? 80 : place->head.len),
		 (const char *)place->head.ptr, place->head.len ? ": " : "", (int)(place->line.len > 80 ? 80 : place->line.len),
		 (const char *)place->line.ptr);
}

/* ---- a whole configuration ---- */

/* Lines that stand in one text only, tokens instead of secrets. */
static void judge_whole(struct preview *c, const struct preview_input *in, struct bytes old_text, struct bytes new_text)
{
	_cleanup_(places_done) struct places old_places = places_of(in->form, old_text), new_places = places_of(in->form, new_text);

	sort_places(&old_places);
	sort_places(&new_places);
	for (size_t i = 0; i < old_places.count; i++)
		if (!has_place(&new_places, &old_places.at[i]))
			note_touched(c, in, &old_places, &old_places.at[i]);
	for (size_t i = 0; i < new_places.count; i++)
		if (!has_place(&old_places, &new_places.at[i]))
			note_touched(c, in, &old_places, &new_places.at[i]);
}

static int compare(struct preview *c, const struct preview_input *in, const struct side *from, const struct side *to, enum mask_by by,
		   struct error *err)
{
	_cleanup_(mask_done) struct mask mask = { .by = by };
	_cleanup_(buf_done) struct buf diff = { 0 };
	struct buf sides[2] = { 0 };
	int r = number_both(sides, &mask, from, to, err);

	c->secrets_compared = by != MASK_NOT_COMPARED;
	if (r == 0) {
		c->is_nothing = c->secrets_compared && bytes_equal(buf_bytes(&sides[0]), buf_bytes(&sides[1]));
		judge_whole(c, in, buf_bytes(&sides[0]), buf_bytes(&sides[1]));
		r = textdiff(&c->counts, &diff, buf_bytes(&sides[0]), from->name, buf_bytes(&sides[1]), to->name, err);
	}
	if (r == 0)
		r = mask_show(&c->diff, &mask, buf_bytes(&diff), false, true, false, err);
	sides_done(sides);
	return r;
}

static void name_side(char out[static 128], const struct opened *opened, const char *part)
{
	char revision[96];

	show_revision(revision, opened);
	snprintf(out, 128, "%s %s", revision, part);
}

static int finish(struct preview *out, struct preview *c, int r)
{
	if (r < 0)
		return r;
	*out = *c;
	*c = (struct preview){ 0 };
	return 0;
}

int preview_whole(struct preview *out, const struct preview_input *in, struct bytes text, struct error *err)
{
	_cleanup_(preview_done) struct preview c = { .is_whole = true, .has_management = *in->management };
	_cleanup_(buf_done) struct buf tokenised = { 0 }, secrets = { 0 };
	char name[128];
	struct side from = { buf_bytes(&in->base->running), buf_bytes(&in->base->secrets), name }, to;
	int r;

	in->form->canonical(&c.payload, text);
	r = c.payload.len ? check_lines(in->form, buf_bytes(&c.payload), err)
			  : error_set(err, E_FORMAT, "the configuration is empty: the device would lose everything");
	if (r < 0)
		return r;
	form_split(&tokenised, &secrets, in->form, buf_bytes(&c.payload));
	to = (struct side){ buf_bytes(&tokenised), buf_bytes(&secrets), in->name };
	name_side(name, in->base, "running");
	return finish(out, &c, compare(&c, in, &from, &to, in->base->has_secrets ? MASK_BY_VALUE : MASK_NOT_COMPARED, err));
}

/* Both of one snapshot, so its tokens compare. */
static int between_parts(struct preview *out, const struct preview_input *in, bool to_startup, struct error *err)
{
	_cleanup_(preview_done) struct preview c = { .is_whole = true, .has_management = *in->management };
	char running_name[128], startup_name[128];
	struct side running = { buf_bytes(&in->base->running), buf_bytes(&in->base->secrets), running_name };
	struct side startup = { buf_bytes(&in->base->startup), buf_bytes(&in->base->secrets), startup_name };

	name_side(running_name, in->base, "running");
	name_side(startup_name, in->base, "startup");
	return finish(out, &c, compare(&c, in, to_startup ? &running : &startup, to_startup ? &startup : &running, MASK_BY_TOKEN, err));
}

int preview_revert(struct preview *out, const struct preview_input *in, struct error *err)
{
	return between_parts(out, in, true, err);
}

int preview_save(struct preview *out, const struct preview_input *in, struct error *err)
{
	return between_parts(out, in, false, err);
}

/* ---- lines ---- */

/* What is entered: comments and empty lines are nothing to the device. */
static void clean_lines(struct buf *out, struct bytes text)
{
	struct bytes line;

	while (bytes_next_line(&text, &line)) {
		struct bytes body = trim(line);

		if (!body.len || body.ptr[0] == '!' || body.ptr[0] == '#')
			continue;
		while (line.ptr + line.len > body.ptr + body.len)
			line.len--;
		buf_add_bytes(out, line);
		buf_add_char(out, '\n');
	}
}

/* A block's head that is there opens it again, and "exit" closes it: neither changes anything. */
static bool is_there(const struct places *base, const struct place *place)
{
	return bytes_is(place->line, "exit") || bytes_is(place->line, "exit-address-family") || has_place(base, place);
}

static void judge_lines(struct preview *c, const struct preview_input *in, struct bytes base_text, struct bytes lines, struct buf *shown)
{
	_cleanup_(places_done) struct places base = places_of(in->form, base_text), entered = places_of(in->form, lines);
	struct bytes rest = lines, line;

	sort_places(&base);
	for (size_t i = 0; i < entered.count && bytes_next_line(&rest, &line); i++) { /* clean lines: one place each */
		bool is_new = !is_there(&base, &entered.at[i]);

		c->counts.added += is_new;
		if (is_new)
			note_touched(c, in, &base, &entered.at[i]);
		buf_add_char(shown, is_new ? '>' : ' ');
		buf_add_bytes(shown, line);
		buf_add_char(shown, '\n');
	}
	c->is_nothing = !c->counts.added;
}

static int show_lines(struct preview *c, const struct preview_input *in, const struct side *from, const struct side *to, struct error *err)
{
	_cleanup_(mask_done) struct mask mask = { .by = c->secrets_compared ? MASK_BY_VALUE : MASK_NOT_COMPARED };
	_cleanup_(buf_done) struct buf shown = { 0 };
	struct buf sides[2] = { 0 };
	int r = number_both(sides, &mask, from, to, err);

	buf_addf(&shown, "--- %s\n+++ %s, entered (> changes something, or may)\n", from->name, to->name);
	if (r == 0) {
		judge_lines(c, in, buf_bytes(&sides[0]), buf_bytes(&sides[1]), &shown);
		if (!c->secrets_compared && to->secrets.len)
			c->is_nothing = false;
	}
	if (r == 0 && !c->is_nothing)
		r = mask_show(&c->diff, &mask, buf_bytes(&shown), false, false, false, err);
	sides_done(sides);
	return r;
}

int preview_lines(struct preview *out, const struct preview_input *in, struct bytes text, struct error *err)
{
	_cleanup_(preview_done) struct preview c = { .has_management = *in->management, .secrets_compared = in->base->has_secrets };
	_cleanup_(buf_done) struct buf tokenised = { 0 }, secrets = { 0 };
	char name[128];
	struct side from = { buf_bytes(&in->base->running), buf_bytes(&in->base->secrets), name }, to;
	int r;

	clean_lines(&c.payload, text);
	r = c.payload.len ? check_lines(in->form, buf_bytes(&c.payload), err) : error_set(err, E_FORMAT, "there is no line to enter");
	if (r < 0)
		return r;
	form_split(&tokenised, &secrets, in->form, buf_bytes(&c.payload));
	to = (struct side){ buf_bytes(&tokenised), buf_bytes(&secrets), in->name };
	name_side(name, in->base, "running");
	return finish(out, &c, show_lines(&c, in, &from, &to, err));
}

/* ---- two snapshots ---- */

static enum mask_by how(const struct opened *a, const struct opened *b)
{
	if (statement_number(a->st, "epoch") == statement_number(b->st, "epoch"))
		return MASK_BY_TOKEN;
	return a->has_secrets && b->has_secrets ? MASK_BY_VALUE : MASK_NOT_COMPARED;
}

int preview_between(struct preview *out, const struct preview_input *in, const struct opened *from, const struct opened *to,
		    struct error *err)
{
	_cleanup_(preview_done) struct preview c = { .is_whole = true, .has_management = *in->management };
	char from_name[128], to_name[128];
	struct side a = { buf_bytes(&from->running), buf_bytes(&from->secrets), from_name };
	struct side b = { buf_bytes(&to->running), buf_bytes(&to->secrets), to_name };

	name_side(from_name, from, "running");
	name_side(to_name, to, "running");
	return finish(out, &c, compare(&c, in, &a, &b, how(from, to), err));
}

bool preview_differs(const struct preview *p)
{
	return p->counts.added || p->counts.removed || (p->secrets_compared && !p->is_nothing);
}
