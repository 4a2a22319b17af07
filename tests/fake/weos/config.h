/* tests/fake/weos/config.h -- a configuration as a tree of lines, its grammar as a table, and its two spellings.
 *
 * WeOS 4 writes indented lines closed by "end" (confirmed), WeOS 5 a JSON document (confirmed, but its keys are invented here: a block is
 * an object, an instance a key in it). What the words mean is not simulated; which lines replace each other is. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum { CONFIG_TEXT_MAX = 512 << 10, CONFIG_LINE_MAX = 1024, CONFIG_WORDS_MAX = 24, CONFIG_DEPTH_MAX = 8, CONFIG_NODES_MAX = 2000 };

enum rule_flag {
	RULE_4 = 1 << 0,     /* known to WeOS 4 */
	RULE_5 = 1 << 1,     /* known to WeOS 5 */
	RULE_BLOCK = 1 << 2, /* has lines of its own */
	RULE_NO = 1 << 3,    /* being off is a line of its own: "no spanning-tree" */
	RULE_SECRET = 1 << 4, /* what follows the keys is stored encrypted */
	RULE_RANGE = 1 << 5, /* instances are ranges of ports */
};

struct rule {
	const char *parent; /* "/aaa/user" */
	const char *word;
	uint8_t keys; /* how many words after it tell one instance from another */
	unsigned flags;
};

struct node {
	const struct rule *rule; /* NULL: the root */
	char *key;               /* "vlan 1", "no spanning-tree" */
	char *value;             /* what follows the keys, "" for a block; secrets in the clear, as they are in RAM */
	struct node *first, *next;
};

/* How secrets are spelled outside RAM: the tree itself knows no key. */
struct secrets {
	/* Appends the token. */
	void (*hide)(void *ctx, struct buf *out, const char *secret);
	/* False: no key of ours opens it. */
	bool (*open)(void *ctx, struct buf *out, const char *token);
	void *ctx;
	size_t unreadable; /* counted while reading: tokens that did not open, whose lines were dropped */
};

struct node *node_new(void);
struct node *node_free(struct node *node);
void node_freep(struct node **node);
struct node *node_copy(const struct node *node);

/* One line of the configuration, inside the block `in`: sets, replaces, opens or, with `no`, removes.
 *
 * word, count   the line, words already apart; the first may be short for a word of the grammar
 * opened        where a block's node is put; NULL for what is none
 * is_new        set when a block was made
 *
 * E_FORMAT: it is not a line of this place; E_LIMIT: too many lines. */
int config_line(struct node **opened, bool *is_new, struct node *in, unsigned weos, char *const *word, size_t count, bool no,
		struct secrets *secrets, struct error *err) _must_check_;
void config_drop(struct node *in, const struct node *kid);
/* The place of a block's lines, as the grammar names it. */
const char *config_place(char out[static 64], const struct node *node);
/* The first line of this place, in the tree or NULL: config_find(root, "system", "hostname"). */
const struct node *config_find(const struct node *root, const char *block, const char *key);

void config_print_lines(struct buf *out, const struct node *block, unsigned depth, const struct secrets *secrets);
void config_print_json(struct buf *out, const struct node *root, const struct secrets *secrets);
/* Both spellings, told apart by the first character. The error names the line and repeats nothing of it. */
int config_read(struct node **out, struct bytes text, unsigned weos, struct secrets *secrets, struct error *err) _must_check_;
/* Cuts a line into words in place, double quotes respected. */
size_t config_words(char **word, size_t max, char *line);
/* The rules' words that can stand in this place, one a line. */
void config_help(struct buf *out, const char *place, unsigned weos);
