/* policies/tree.h -- a configuration as a tree of contexts, whatever the device: what rules look at. Pure.
 *
 *   weos    WeOS 4: blocks by indentation; WeOS 5 (JSON): the lines of WeOS 4's spelling: {"user": {"admin": {"role": "guest"}}} becomes
 *           `user admin` with `role guest` in it; true is the name alone, false is `no name`
 *   frr     blocks by indentation, without `!`, `exit...` and `end`
 *   files   a block for each part, its line as it stands (`part sshd 0644 root root /etc/ssh/sshd_config`), in it by its format
 *             nftables  blocks by braces, statements by `;` and line ends, a set in a rule on one line
 *             sshd      keywords in small letters, `Match` opens a block to the next one
 *             others    lines, without comments; an rsyslog action over several lines is one line
 *
 * Blanks between words are one. Where a secret stands, TREE_SECRET stands (policies/pattern.h), whether the text is the device's or has the
 * tokens of the archive: a rule cannot ask for one, and no finding can show one.
 *
 * What cannot be read, or seems to be cut off, is an error, or an unclear block where only a part is: nothing that depends on it may
 * pass. */
#pragma once

#include "base/bytes.h"
#include "base/error.h"

enum {
	TREE_BYTES_MAX = 16 << 20, /* of a configuration */
	TREE_LINE_MAX = 4096,
	TREE_NODES_MAX = 1 << 18,
	TREE_DEPTH_MAX = 16,
};

/* A line, and the block that it opens: what is in it are the nodes behind it up to end. Node 0 is the whole. */
struct tree_node {
	size_t at, len;  /* of its text; see tree_line() */
	uint32_t first;  /* pattern_hash() of its first word; 0 when that holds a secret */
	uint32_t end, in;
	unsigned line;   /* of the configuration, from 1; 0 for the whole */
	unsigned depth;
	bool is_unclear; /* what is in this block cannot be read */
};

struct tree {
	struct tree_node *nodes;
	size_t count;
	struct buf text;
};

/* driver: as form_of() (policies/form.h) knows it; E_FORMAT when it does not. E_FORMAT, E_LIMIT name the line, and nothing of what is in
 * it. */
int tree_read(struct tree *out, const char *driver, struct bytes text, struct error *err) _must_check_;
void tree_done(struct tree *tree);

struct bytes tree_line(const struct tree *tree, uint32_t node);
/* Appends "config/aaa/user admin"; of each line at most so many bytes, and "..." for the rest. */
void tree_path(struct buf *out, const struct tree *tree, uint32_t node, size_t line_max);

/* ---- for the readers of the dialects ---- */

struct tree_builder {
	struct tree *tree;
	struct error *err;
	uint32_t open[TREE_DEPTH_MAX + 1];
	unsigned depth;
};

/* Adds a line into the block that is open. Blank ones are passed over: 0, and nothing is added. 1: added. */
int tree_add(struct tree_builder *b, struct bytes line, unsigned number) _must_check_;
/* Opens the block of the line that was added last. */
int tree_open(struct tree_builder *b, unsigned number) _must_check_;
void tree_close(struct tree_builder *b);
/* Takes back all that was read into the block that is open at this depth, and says that it is unclear. */
void tree_give_up(struct tree_builder *b, unsigned depth);

/* policies/tree-*.c. text has TREE_SECRET where secrets are. */
int tree_read_indented(struct tree_builder *b, struct bytes text, bool is_frr) _must_check_;
int tree_read_weos_json(struct tree_builder *b, struct bytes text) _must_check_;
int tree_read_files(struct tree_builder *b, struct bytes text) _must_check_;
