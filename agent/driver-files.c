/* agent/driver-files.c -- a Linux gateway whose configuration is files: what its services run, and what is on disk.
 *
 * Three kinds of parts, by what their settings say:
 *   a service that shows what it runs (`running`): running and startup are two texts, as with a router
 *   a service that must be told to read its files (`reload`): of what runs only the hash is known, and only a reload changes it
 *   neither: files are read whenever they are used, so what is on disk runs */
#include "agent/driver-files.h"

#include "agent/files-parts.h"
#include "agent/media.h"
#include "base/fs.h"
#include "crypto/key.h"

#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum { NO_ANSWER = 1 };

/* ---- looking ---- */

static struct files_part part_of(const struct files_item *item)
{
	return (struct files_part){
		.format = bytes_str(item->part->format),
		.owner = bytes_str(item->owner),
		.group = bytes_str(item->group),
		.path = bytes_str(item->path),
		.mode = item->mode,
	};
}

/* The content of the file as the service would show it. What nft does not load is told as it is written: it is a difference. */
static int startup_content(struct buf *out, const struct files_item *item, struct error *err)
{
	int r = FILES_NOT_LOADABLE;

	if (files_is_nft(item->part))
		r = files_nft_as_listed(out, buf_bytes(&item->content), err);
	if (r == FILES_NOT_LOADABLE)
		buf_add_bytes(out, buf_bytes(&item->content));
	return r < 0 ? r : 0;
}

static int add_startup(struct device_look *look, const struct files_item *item, struct error *err)
{
	_cleanup_(buf_done) struct buf content = { 0 };
	const struct files_part part = part_of(item);

	if (!item->is_there)
		return 0;
	if (startup_content(&content, item, err) < 0)
		return error_add(err, "'%s'", item->path);
	files_put(&look->startup, &part, buf_bytes(&content));
	look->has_startup = true;
	return 0;
}

/* What the service runs; NO_ANSWER when its command fails, whose complaints may repeat what it read. */
static int running_content(struct buf *out, const struct files_item *item, struct error *err)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (files_run(&res, item->part->running, item->part->running_count, (struct bytes){ 0 }, FILES_COMMAND_MS, err) < 0)
		return error_add(err, "'%s': what runs", item->path);
	if (res.status)
		return NO_ANSWER;
	if (files_is_nft(item->part))
		files_nft_canonical(out, buf_bytes(&res.out));
	else
		buf_add_bytes(out, buf_bytes(&res.out));
	return 0;
}

struct looking {
	struct device_look *look;
	struct files_view view;
	struct files_loaded loaded;
};

/* A tracked file: its content if that is what was loaded, else the hash of what was; nothing if it was not there then. */
static void add_tracked(struct looking *l, const struct files_item *item)
{
	const uint8_t *known = files_loaded_hash(&l->loaded, item->part, item->path);
	const struct files_part part = part_of(item);
	uint8_t hash[HASH_LEN];

	if (!known)
		return;
	sha256(hash, buf_bytes(&item->content));
	if (item->is_there && !memcmp(hash, known, HASH_LEN))
		files_put(&l->look->running, &part, buf_bytes(&item->content));
	else
		files_put_hash(&l->look->running, &part, known);
}

static int add_running(struct looking *l, const struct files_item *item, struct error *err)
{
	_cleanup_(buf_done) struct buf content = { 0 };
	const struct files_part part = part_of(item);
	int r;

	if (files_is_tracked(item->part)) {
		add_tracked(l, item);
		return 0;
	}
	if (!item->part->running) {
		if (item->is_there)
			files_put(&l->look->running, &part, buf_bytes(&item->content));
		return 0;
	}
	r = running_content(&content, item, err);
	if (r == NO_ANSWER)
		files_note_missing(l->look, item->path);
	else if (r == 0)
		files_put(&l->look->running, &part, buf_bytes(&content));
	return r < 0 ? r : 0;
}

static int add_all(struct looking *l, const struct settings_device *dev, struct error *err)
{
	files_begin(&l->look->running);
	files_begin(&l->look->startup);
	for (unsigned i = 0; i < dev->files->parts_count; i++)
		if (files_is_tracked(&dev->files->parts[i]))
			files_loaded_add_gone(&l->loaded, &dev->files->parts[i], &l->view);
	files_view_sort(&l->view);
	for (size_t i = 0; i < l->view.count; i++)
		if (add_startup(l->look, &l->view.items[i], err) < 0 || add_running(l, &l->view.items[i], err) < 0)
			return err->code;
	if (l->look->running.len >= DEVICE_TEXT_MAX || l->look->startup.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_LIMIT, "the configuration is longer than %d bytes", DEVICE_TEXT_MAX);
	return 0;
}

/* A machine that started anew: what is loaded may not be what it was. */
static void take_incarnation(struct device_look *look)
{
	_cleanup_(buf_done) struct buf id = { 0 };
	struct error ignored;

	(void)!fs_read(&id, "/proc/sys/kernel/random/boot_id", 100, &ignored);
	snprintf(look->incarnation, sizeof(look->incarnation), "boot %.36s", buf_text(&id));
}

static int files_look(struct device_look *out, const struct settings_device *dev, struct error *err)
{
	struct looking l = { .look = out };
	int r = files_view_read(&l.view, dev->files, err);

	out->is_whole = true;
	if (r == 0)
		r = files_loaded_read(&l.loaded, dev, &l.view, out, err);
	if (r == 0)
		r = add_all(&l, dev, err);
	files_loaded_done(&l.loaded);
	files_view_done(&l.view);
	take_incarnation(out);
	return r;
}

/* ---- facts ---- */

/* Printable, and no longer than what it goes into. */
static void put_fact(char out[static DEVICE_WORD_MAX], struct bytes text)
{
	size_t n = 0;

	for (size_t i = 0; i < text.len && n + 1 < DEVICE_WORD_MAX; i++)
		if (text.ptr[i] >= 0x20 && text.ptr[i] < 0x7f && text.ptr[i] != '"')
			out[n++] = (char)text.ptr[i];
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = 0;
}

static void take_os_release(char out[static DEVICE_WORD_MAX], const struct settings_files *files)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/etc/os-release", files->root[1] ? files->root : "");
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error ignored;
	struct bytes rest, line;

	put_fact(out, bytes_str("Linux"));
	if (fs_read(&text, path, 65536, &ignored) != 0)
		return;
	rest = buf_bytes(&text);
	while (bytes_next_line(&rest, &line))
		if (line.len > 12 && !memcmp(line.ptr, "PRETTY_NAME=", 12))
			put_fact(out, bytes_from(line, 12));
}

static int files_facts(struct device_facts *out, const struct settings_device *dev, struct error *err)
{
	static const char *const serials[] = { "/sys/class/dmi/id/product_serial", "/proc/device-tree/serial-number" };
	struct error ignored;
	struct utsname uts;

	if (uname(&uts) < 0)
		return error_sys(err, "cannot ask the kernel for its release");
	take_os_release(out->model, dev->files);
	if (!files_version(out->firmware, dev))
		put_fact(out->firmware, bytes_str(uts.release));
	for (size_t i = 0; i < ARRAY_SIZE(serials) && !*out->serial; i++) {
		_cleanup_(buf_done) struct buf text = { 0 };

		if (fs_read(&text, serials[i], 4096, &ignored) == 0)
			put_fact(out->serial, buf_bytes(&text));
	}
	return 0;
}

/* ---- commands that judge and load ---- */

/* Feeds a content to a command. offset: lines that we put in front of it; first: the number of its first line in the text. */
static int feed(char *const *argv, unsigned count, const struct settings_part *part, struct bytes in, unsigned first, unsigned offset,
		struct error *err)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };
	unsigned line = 0;

	if (files_run(&res, argv, count, in, FILES_RELOAD_MS, err) < 0)
		return error_add(err, "'%s'", part->path);
	if (!res.status)
		return 0;
	if (files_is_nft(part))
		line = files_nft_line(buf_bytes(&res.err));
	if (line > offset)
		return error_set(err, E_FORMAT, "line %u: nft does not take it", first + line - 1 - offset);
	if (files_is_nft(part))
		return error_set(err, E_PEER, "'%s': '%s' ended with status %d, and names no line", part->path, argv[0], res.status);
	return error_set(err, E_FORMAT, "line %u: '%s' does not take this part (status %d)", first, argv[0], res.status);
}

int files_feed_whole(char *const *argv, unsigned count, const struct settings_part *part, struct bytes content, unsigned first,
		     struct error *err)
{
	_cleanup_(buf_done) struct buf whole = { 0 };

	if (!count)
		return 0;
	if (!files_is_nft(part))
		return feed(argv, count, part, content, first, 0, err);
	files_nft_whole(&whole, content);
	return feed(argv, count, part, buf_bytes(&whole), first, 1, err);
}

/* ---- saving ---- */

/* Is what the file makes run what runs? */
static int startup_is(const struct files_item *item, struct bytes running, struct error *err)
{
	_cleanup_(buf_done) struct buf startup = { 0 };

	if (!item->is_there)
		return 0;
	if (startup_content(&startup, item, err) < 0)
		return err->code;
	return bytes_equal(buf_bytes(&startup), running);
}

/* What is written must make the same run when it is loaded. */
static int check_file(const struct files_item *item, struct bytes file, struct bytes running, struct error *err)
{
	_cleanup_(buf_done) struct buf listed = { 0 };
	int r = 0;

	if (item->part->check)
		r = feed(item->part->check, item->part->check_count, item->part, file, 1, 0, err);
	if (r == 0 && files_is_nft(item->part)) {
		r = files_nft_as_listed(&listed, file, err);
		if (r == FILES_NOT_LOADABLE || (r == 0 && !bytes_equal(buf_bytes(&listed), running)))
			return error_set(err, E_PEER, "'%s': what runs, written to a file, would not make the same run", item->path);
	}
	return r < 0 ? error_add(err, "what runs, as a file") : 0;
}

static int save_item(const struct files_item *item, struct bytes running, bool is_trial, struct error *err)
{
	_cleanup_(buf_done) struct buf file = { 0 };
	int r = startup_is(item, running, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!running.len)
		return error_set(err, E_FORMAT, "'%s': an empty configuration is not saved", item->path);
	if (files_is_nft(item->part))
		files_nft_file(&file, running);
	else
		buf_add_bytes(&file, running);
	return is_trial ? check_file(item, buf_bytes(&file), running, err) : files_write(item, buf_bytes(&file), err);
}

/* The content of a part as it counts: of what nft lists, without noise. */
static int content_of(struct buf *out, const struct files_part *part, struct error *err)
{
	_cleanup_(buf_done) struct buf content = { 0 };

	if (files_content(&content, part, err) < 0)
		return err->code;
	if (bytes_is(part->format, "nftables"))
		files_nft_canonical(out, buf_bytes(&content));
	else
		buf_add_bytes(out, buf_bytes(&content));
	return 0;
}

/* All are judged before the first is written. */
static int save_round(const struct files_view *view, const struct files_text *text, bool is_trial, struct error *err)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct files_item *item = &view->items[i];
		const struct files_part *part = files_find(text, bytes_str(item->path));
		_cleanup_(buf_done) struct buf running = { 0 };

		if (!item->part->running || !part)
			continue;
		if (content_of(&running, part, err) < 0 || save_item(item, buf_bytes(&running), is_trial, err) < 0)
			return err->code;
	}
	return 0;
}

/* What a service has loaded and does not show cannot be written: it is not known. */
static int check_loaded(const struct settings_device *dev, const struct files_view *view, struct error *err)
{
	struct files_loaded loaded;
	int r = files_loaded_read(&loaded, dev, view, NULL, err);

	for (unsigned i = 0; r == 0 && i < dev->files->parts_count; i++) {
		const struct settings_part *part = &dev->files->parts[i];

		if (files_is_tracked(part) && !files_loaded_is_disk(&loaded, part, view))
			r = error_set(err, E_DENIED, "'%s': what its service has loaded cannot be read; reload it, or return", part->path);
	}
	files_loaded_done(&loaded);
	return r;
}

static int files_save(const struct settings_device *dev, struct bytes running, struct error *err)
{
	_cleanup_(files_view_done) struct files_view view = { 0 };
	_cleanup_(files_text_done) struct files_text text = { 0 };

	if (files_parse(&text, running, err) < 0 || files_view_read(&view, dev->files, err) < 0 || check_loaded(dev, &view, err) < 0)
		return err->code;
	return save_round(&view, &text, true, err) < 0 ? err->code : save_round(&view, &text, false, err);
}

/* ---- returning, and a whole configuration ---- */

/* Does the service run this? */
int files_runs_as(const struct files_item *item, struct bytes wanted, struct error *err)
{
	_cleanup_(buf_done) struct buf running = { 0 }, listed = { 0 };
	int r = running_content(&running, item, err);

	if (r != 0)
		return r < 0 ? r : error_set(err, E_PEER, "'%s': '%s' does not say what runs", item->path, item->part->running[0]);
	if (bytes_equal(buf_bytes(&running), wanted))
		return 1;
	if (!files_is_nft(item->part))
		return 0;
	r = files_nft_as_listed(&listed, wanted, err); /* it may be written in another way than nft lists it */
	return r < 0 ? r : r == 0 && bytes_equal(buf_bytes(&running), buf_bytes(&listed));
}

int files_load(const struct files_item *item, struct bytes wanted, unsigned first, struct error *err)
{
	int r = files_runs_as(item, wanted, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (files_feed_whole(item->part->load, item->part->load_count, item->part, wanted, first, err) < 0)
		return err->code;
	r = files_runs_as(item, wanted, err);
	if (r < 0)
		return r;
	return r ? 0 : error_set(err, E_PEER, "'%s': loaded, and what runs is not what was loaded", item->path);
}

int files_reload(const struct settings_part *part, struct error *err)
{
	_cleanup_(proc_result_done) struct proc_result res = { 0 };

	if (files_run(&res, part->reload, part->reload_count, (struct bytes){ 0 }, FILES_RELOAD_MS, err) < 0)
		return error_add(err, "'%s'", part->path);
	return res.status ? error_set(err, E_PEER, "'%s': '%s' ended with status %d", part->path, part->reload[0], res.status) : 0;
}

/* A service is told to load only what it would take. */
static int check_disk(const struct files_view *view, const struct settings_part *part, struct error *err)
{
	for (size_t i = 0; i < view->count; i++)
		if (view->items[i].part == part && view->items[i].is_there && part->check &&
		    feed(part->check, part->check_count, part, buf_bytes(&view->items[i].content), 1, 0, err) < 0)
			return error_add(err, "'%s'", view->items[i].path);
	return 0;
}

/* By a reload: only what is on disk can come to run. */
static int return_shown(const struct files_view *view, const struct files_item *item, struct bytes wanted, struct error *err)
{
	int r = files_runs_as(item, wanted, err);

	if (r != 0)
		return r < 0 ? r : 0;
	if (!item->part->reload)
		return error_set(err, E_DENIED, "'%s': there is neither 'load' nor 'reload' to return by", item->path);
	if (check_disk(view, item->part, err) < 0 || files_reload(item->part, err) < 0)
		return err->code;
	r = files_runs_as(item, wanted, err);
	return r < 0 ? r : r ? 0 : error_set(err, E_PEER, "'%s': reloaded, and it still does not run what is on disk", item->path);
}

static int return_item(const struct files_view *view, const struct files_item *item, const struct files_text *text, struct error *err)
{
	const struct files_part *part = files_find(text, bytes_str(item->path));
	_cleanup_(buf_done) struct buf wanted = { 0 };

	if (!part)
		return error_set(err, E_DENIED, "'%s' is not there to return to", item->path);
	if (content_of(&wanted, part, err) < 0)
		return err->code;
	return item->part->load ? files_load(item, buf_bytes(&wanted), part->line, err) : return_shown(view, item, buf_bytes(&wanted), err);
}

static int return_tracked(const struct settings_device *dev, const struct files_view *view, struct error *err)
{
	struct files_loaded loaded;
	int r = files_loaded_read(&loaded, dev, view, NULL, err);

	for (unsigned i = 0; r == 0 && i < dev->files->parts_count; i++) {
		const struct settings_part *part = &dev->files->parts[i];

		if (!files_is_tracked(part) || files_loaded_is_disk(&loaded, part, view))
			continue;
		r = check_disk(view, part, err);
		if (r == 0)
			r = files_reload(part, err);
		if (r == 0)
			files_loaded_take(&loaded, part, view);
	}
	if (r == 0)
		r = files_loaded_write(&loaded, err);
	files_loaded_done(&loaded);
	return r;
}

static int files_revert(const struct settings_device *dev, struct bytes startup, struct error *err)
{
	_cleanup_(files_view_done) struct files_view view = { 0 };
	_cleanup_(files_text_done) struct files_text text = { 0 };

	if (files_parse(&text, startup, err) < 0 || files_view_read(&view, dev->files, err) < 0)
		return err->code;
	for (size_t i = 0; i < view.count; i++)
		if (view.items[i].part->running && return_item(&view, &view.items[i], &text, err) < 0)
			return err->code;
	return return_tracked(dev, &view, err);
}

/* ---- orders ---- */

static bool is_same_head(const struct files_item *item, const struct files_part *part)
{
	return item->mode == part->mode && bytes_is(part->owner, item->owner) && bytes_is(part->group, item->group);
}

/* What no service takes without its file being written: it must be on disk, and loaded, already. */
static int check_fixed(const struct files_item *item, const struct files_part *part, struct bytes content, struct error *err)
{
	if (item->is_there && bytes_equal(content, buf_bytes(&item->content)))
		return 0;
	return error_set(err, E_FORMAT, "line %u: this part has no 'load': it changes on disk, by hand", part->line);
}

static int check_nft_lines(struct bytes content, unsigned first, struct error *err)
{
	struct bytes line, words;

	for (; bytes_next_line(&content, &line); first++) {
		const char *why = files_line_refused(line);

		for (words = line; words.len && (words.ptr[0] == ' ' || words.ptr[0] == '\t');)
			words = bytes_from(words, 1);
		why = why ? why : files_line_refused(words);
		if (why)
			return error_set(err, E_FORMAT, "line %u: %s", first, why);
	}
	return 0;
}

static int check_loadable(const struct files_item *item, const struct files_part *part, struct bytes content, struct error *err)
{
	if (!content.len)
		return error_set(err, E_FORMAT, "line %u: an empty configuration is not applied", part->line - 1);
	if (files_is_nft(item->part) && check_nft_lines(content, part->line, err) < 0)
		return err->code;
	return files_feed_whole(item->part->check, item->part->check_count, item->part, content, part->line, err);
}

static int check_part(const struct files_view *view, const struct files_part *part, struct error *err)
{
	const struct files_item *item = files_view_find(view, part->path);
	_cleanup_(buf_done) struct buf content = { 0 };

	if (!item || !bytes_is(part->format, item->part->format))
		return error_set(err, E_FORMAT, "line %u: there is no such part here", part->line - 1);
	if (item->is_there && !is_same_head(item, part))
		return error_set(err, E_FORMAT, "line %u: mode and owner of the file are others; they change on disk, by hand",
				 part->line - 1);
	if (files_content(&content, part, err) < 0)
		return err->code;
	return item->part->load ? check_loadable(item, part, buf_bytes(&content), err) : check_fixed(item, part, buf_bytes(&content), err);
}

static int check_whole(const struct settings_device *dev, const struct files_view *view, const struct files_text *text, struct error *err)
{
	for (size_t i = 0; i < text->count; i++)
		if (check_part(view, &text->parts[i], err) < 0)
			return err->code;
	for (size_t i = 0; i < view->count; i++)
		if ((view->items[i].is_there || view->items[i].part->running) && !files_find(text, bytes_str(view->items[i].path)))
			return error_set(err, E_FORMAT, "a file that is part of this device is not in it");
	if (check_loaded(dev, view, err) < 0)
		return err->code = E_FORMAT;
	return 0;
}

/* Lines are commands of nft, so there must be one part that takes them. */
static const struct settings_part *lines_part(const struct settings_files *files)
{
	const struct settings_part *found = NULL;

	for (unsigned i = 0; i < files->parts_count; i++) {
		if (!files_is_nft(&files->parts[i]))
			continue;
		if (found)
			return NULL;
		found = &files->parts[i];
	}
	return found;
}

static bool is_blank(struct bytes text)
{
	struct bytes line;

	while (bytes_next_line(&text, &line))
		for (size_t i = 0; i < line.len && line.ptr[i] != '#'; i++)
			if (line.ptr[i] != ' ' && line.ptr[i] != '\t')
				return false;
	return true;
}

static int check_lines(const struct settings_device *dev, struct bytes lines, const struct settings_part **part, struct error *err)
{
	*part = lines_part(dev->files);
	if (!*part)
		return error_set(err, E_FORMAT, "lines are commands of nft, and not exactly one part here is 'nftables'");
	if (lines.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_FORMAT, "%zu bytes are over %d", lines.len, DEVICE_TEXT_MAX);
	if (is_blank(lines))
		return error_set(err, E_FORMAT, "there is no command in it");
	if (check_nft_lines(lines, 1, err) < 0)
		return err->code;
	return feed((*part)->check, (*part)->check_count, *part, lines, 1, 0, err);
}

static int load_all(const struct files_view *view, const struct files_text *text, struct error *err)
{
	for (size_t i = 0; i < text->count; i++) {
		const struct files_item *item = files_view_find(view, text->parts[i].path);
		_cleanup_(buf_done) struct buf content = { 0 };

		if (item->part->load && (files_content(&content, &text->parts[i], err) < 0 ||
					 files_load(item, buf_bytes(&content), text->parts[i].line, err) < 0))
			return err->code;
	}
	return 0;
}

static int whole(const struct settings_device *dev, struct bytes in, bool is_trial, struct error *err)
{
	_cleanup_(files_view_done) struct files_view view = { 0 };
	_cleanup_(files_text_done) struct files_text text = { 0 };

	if (in.len >= DEVICE_TEXT_MAX)
		return error_set(err, E_FORMAT, "%zu bytes are over %d", in.len, DEVICE_TEXT_MAX);
	if (files_parse(&text, in, err) < 0 || files_view_read(&view, dev->files, err) < 0 || check_whole(dev, &view, &text, err) < 0)
		return err->code;
	return is_trial ? 0 : load_all(&view, &text, err);
}

static int files_check(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err)
{
	const struct settings_part *part;

	return how == DEVICE_WHOLE ? whole(dev, text, true, err) : check_lines(dev, text, &part, err);
}

static int files_apply(const struct settings_device *dev, struct bytes text, enum device_apply how, struct error *err)
{
	const struct settings_part *part;

	if (how == DEVICE_WHOLE)
		return whole(dev, text, false, err);
	if (check_lines(dev, text, &part, err) < 0)
		return err->code;
	return feed(part->load, part->load_count, part, text, 1, 0, err);
}

static const char *files_startup_path(const struct settings_device *dev)
{
	return dev->files->first;
}

static const char *files_trial(const struct settings_device *dev)
{
	return lines_part(dev->files) ? "add table inet holdfast_trial\n" : NULL;
}

/* A purge is a reset, and the media besides; so of the whole no more is claimed than that its configuration was cleared. */
static int files_erase(struct device_erased *out, const struct settings_device *dev, enum device_erase how, const char *state_dir,
		       struct error *err)
{
	if (files_factory_reset(out, dev, err) < 0)
		return err->code;
	return how == DEVICE_ERASE_PURGE ? media_erase(out, dev, state_dir, err) : 0;
}

const struct device_driver driver_files = {
	.name = "files",
	.capabilities = DEVICE_STARTUP | DEVICE_SAVE | DEVICE_REVERT | DEVICE_APPLY,
	.uses_network = true, /* nftables are the network's */
	.facts = files_facts,
	.look = files_look,
	.save = files_save,
	.revert = files_revert,
	.check = files_check,
	.apply = files_apply,
	.capable = files_capable,
	.lacks = files_lacks,
	.erase = files_erase,
	.upgrade = files_upgrade,
	.startup_path = files_startup_path,
	.trial = files_trial,
	.canonical = files_canonical,
	.secrets = files_secrets,
};
