/* agent/dialogue.h -- a conversation that must not be lost half-way: a table of states over a console, with a journal.
 *
 * Each state says one thing, waits for one of a few answers, and each answer leads to another state. The name of a state is in the journal,
 * durably, before anything is said in it. So whoever takes over after a crash knows how far it can have come, and each state says where to
 * go on then: usually to look at what is there, since what was said last may have been heard or not. A claim is a state that can only be
 * reached by answers that were seen one after the other. */
#pragma once

#include "agent/console.h"

enum { DIALOGUE_ANSWERS_MAX = 8, DIALOGUE_SECRETS_MAX = 4, DIALOGUE_WORDS_MAX = 2, DIALOGUE_STEPS_MAX = 64 };

enum dialogue_act {
	DIALOGUE_LISTEN, /* says nothing */
	DIALOGUE_LOOK,   /* finds out what is there: console_attach() */
	DIALOGUE_LINE,   /* types text, sees it, Enter */
	DIALOGUE_PICK,   /* sends text, waits until it rests, Enter: for menus, and questions of one letter */
	DIALOGUE_WORD,   /* types the word of that number, sees it, Enter */
	DIALOGUE_SECRET, /* types the secret of that number and Enter */
	DIALOGUE_STOP,   /* stops the boot with the key in text, once `when` was seen */
	DIALOGUE_BOOT,   /* as listen; the device restarts, so nothing is sent until it is up */
	DIALOGUE_END,
};

/* What an end means. */
enum dialogue_end {
	DIALOGUE_DONE = 0,    /* seen, all of it */
	DIALOGUE_NOTHING = 1, /* seen: nothing was done */
	DIALOGUE_UNKNOWN = 2, /* something may have been done, and not all of it was seen */
};

struct dialogue_state {
	const char *name; /* in the journal */
	enum dialogue_act act;
	const char *text;
	unsigned secret, word;
	console_set when;
	unsigned timeout_ms;
	struct {
		console_set seen;
		const char *to; /* name of a state; NULL ends the list */
	} answers[DIALOGUE_ANSWERS_MAX];
	const char *late;   /* where to when none of them comes in time; NULL: that is a failure */
	const char *resume; /* where to begin when the journal ends here; NULL: here */
	enum dialogue_end end;
	const char *says; /* of an end, for people */
};

struct dialogue {
	const char *name;
	const struct dialogue_state *states; /* the first is the begin */
	size_t count;
};

struct dialogue_run {
	const struct dialogue *dialogue;
	struct console *console;
	const char *from; /* the last name in the journal; NULL: a new run */
	struct bytes secrets[DIALOGUE_SECRETS_MAX];
	const char *words[DIALOGUE_WORDS_MAX];
	/* Makes the name of a state durable. A failure ends the run before anything is said. */
	int (*journal)(void *ctx, const char *state, struct error *err);
	void *ctx;
	/* filled in */
	const char *state; /* where it is, also after a failure */
	const char *says;
};

/* Is every state that is named there, is every end reached by answers only? For tests of tables; E_FORMAT says what is wrong. */
int dialogue_check(const struct dialogue *dialogue, struct error *err) _must_check_;

/* Runs to an end (enum dialogue_end), or fails: E_PEER when the console says something else or nothing, E_FORMAT for a journal of
 * another table. After a failure it can be run again, from the journal. */
int dialogue_go(struct dialogue_run *run, struct error *err) _must_check_;
