/* repo/textdiff.c -- line differences of two texts in memory, by libgit2's diff. */
#include "repo/textdiff.h"

#include <git2.h>

static int add_line(const git_diff_delta *delta _unused_, const git_diff_hunk *hunk _unused_, const git_diff_line *line, void *payload)
{
	struct buf *out = payload;

	if (line->origin == GIT_DIFF_LINE_FILE_HDR)
		return 0; /* ours stand already */
	if (line->origin == GIT_DIFF_LINE_CONTEXT || line->origin == GIT_DIFF_LINE_ADDITION || line->origin == GIT_DIFF_LINE_DELETION)
		buf_add_char(out, line->origin);
	buf_add(out, line->content, line->content_len);
	return 0;
}

int textdiff(struct textdiff *counts, struct buf *out, struct bytes old_text, const char *old_name, struct bytes new_text,
	     const char *new_name, struct error *err)
{
	git_diff_options opts = GIT_DIFF_OPTIONS_INIT;
	git_patch *patch = NULL;
	size_t context, added = 0, removed = 0;
	int r;

	git_libgit2_init();
	opts.flags = GIT_DIFF_FORCE_TEXT;
	r = git_patch_from_buffers(&patch, old_text.ptr, old_text.len, "a", new_text.ptr, new_text.len, "b", &opts);
	if (r == 0)
		r = git_patch_line_stats(&context, &added, &removed, patch);
	if (r == 0 && out && (added || removed)) {
		buf_addf(out, "--- %s\n+++ %s\n", old_name, new_name);
		r = git_patch_print(patch, add_line, out);
	}
	git_patch_free(patch);
	git_libgit2_shutdown();
	if (r < 0)
		return error_set(err, E_SYS, "cannot compare two texts: %s",
				 git_error_last() ? git_error_last()->message : "libgit2 failed");
	*counts = (struct textdiff){ added, removed };
	return 0;
}
