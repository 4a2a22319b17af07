/* agent/challenge.c -- what an order that erases the device must name. */
#include "agent/challenge.h"

#include "agent/journal.h"
#include "base/clock.h"
#include "base/fs.h"

#include <sodium.h>
#include <string.h>

enum { FILE_MAX = 1024 };

static const char first_line[] = "holdfast-agent-challenge/1";

static char *path_in(const char *dir)
{
	return mem_printf("%s/challenge", dir);
}

void challenge_load(struct challenge *c, const char *dir)
{
	_cleanup_(mem_freep) char *path = path_in(dir);
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error ignored;
	struct bytes body, made;

	*c = (struct challenge){ 0 };
	if (fs_read(&text, path, FILE_MAX, &ignored) != 0 || journal_open(&body, buf_bytes(&text), first_line, &ignored) < 0)
		return;
	c->is_there =
		journal_take(&body, "made", &made) && clock_parse(&c->made_s, made) && journal_take_hash(&body, "challenge", c->value);
}

/* One that was made in the future is none: the clock was wrong then, or is now. */
const uint8_t *challenge_now(const struct challenge *c, int64_t now_s)
{
	return c->is_there && c->made_s <= now_s && now_s - c->made_s < CHALLENGE_S ? c->value : NULL;
}

int challenge_keep(struct challenge *c, const char *dir, int64_t now_s, struct error *err)
{
	_cleanup_(mem_freep) char *path = path_in(dir);
	_cleanup_(buf_done) struct buf body = { 0 }, text = { 0 };
	struct challenge next = { .is_there = true, .made_s = now_s };
	char made[CLOCK_TEXT_LEN];

	if (challenge_now(c, now_s))
		return 0;
	c->is_there = false;
	randombytes_buf(next.value, sizeof(next.value));
	clock_text(made, now_s);
	journal_put_text(&body, "made", made);
	journal_put_hash(&body, "challenge", next.value);
	journal_seal(&text, first_line, buf_bytes(&body));
	if (fs_write(path, buf_bytes(&text), 0600, err) < 0)
		return error_add(err, "the challenge");
	*c = next;
	return 0;
}

void challenge_use(struct challenge *c, const char *dir, const uint8_t used[static HASH_LEN])
{
	_cleanup_(mem_freep) char *path = path_in(dir);
	struct error ignored;

	if (!c->is_there || memcmp(c->value, used, HASH_LEN) != 0)
		return;
	c->is_there = false;
	(void)!fs_remove(path, &ignored); /* and should it stay: the order's number is used up, too */
}
