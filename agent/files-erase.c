/* agent/files-erase.c -- a machine whose configuration is files, back to how the factory made it: each part becomes its factory file.
 *
 * What a service loads by itself is loaded first, then the files are overwritten where they lie, with the older versions beside them, then
 * services are told to read them. There is nothing to remember between two runs: each step looks at what is there. */
#include "agent/files-parts.h"

#include "agent/copies.h"
#include "base/wipe.h"
#include "crypto/key.h"

#include <string.h>

/* Every part has its factory file, or says that it has none. */
unsigned files_capable(const struct settings_device *dev)
{
	unsigned upgrade = dev->files->upgrade ? DEVICE_UPGRADE : 0;

	for (unsigned i = 0; i < dev->files->parts_count; i++)
		if (!dev->files->parts[i].factory)
			return upgrade;
	return upgrade | DEVICE_FACTORY_RESET | (dev->media ? DEVICE_PURGE : 0);
}

const char *files_lacks(const struct settings_device *dev _unused_, unsigned capabilities)
{
	if (capabilities & DEVICE_UPGRADE)
		return "set 'upgrade', the program that does each step of it";
	if (capabilities & DEVICE_FACTORY_RESET)
		return "each of its parts must name its 'factory' file, or \"none\"";
	return capabilities & DEVICE_PURGE ?
		       "each of its parts must name its 'factory' file, or \"none\", and 'media' what is erased besides" :
		       NULL;
}

static bool is_absent(const struct settings_part *part)
{
	return !strcmp(part->factory, "none");
}

static int read_factory(struct buf *out, const struct settings_part *part, struct error *err)
{
	int r = is_absent(part) ? 0 : fs_read(out, part->factory, DEVICE_TEXT_MAX - 1, err);

	if (r == FS_ABSENT)
		return error_set(err, E_FORMAT, "'%s': there is no factory file '%s'", part->path, part->factory);
	return r;
}

/* Before the first effect: is every factory file there, and would its service take it? */
static int check_all(const struct settings_device *dev, struct error *err)
{
	for (unsigned i = 0; i < dev->files->parts_count; i++) {
		const struct settings_part *part = &dev->files->parts[i];
		_cleanup_(buf_done) struct buf text = { 0 };

		if (read_factory(&text, part, err) < 0)
			return err->code;
		if (!is_absent(part) && files_feed_whole(part->check, part->check_count, part, buf_bytes(&text), 1, err) < 0)
			return error_add(err, "the factory file of '%s'", part->path);
	}
	return 0;
}

/* A factory file that is a part itself, under whatever name, would be overwritten. */
static int check_apart(const struct settings_device *dev, const struct files_view *view, struct error *err)
{
	for (unsigned i = 0; i < dev->files->parts_count; i++)
		for (size_t k = 0; k < view->count; k++)
			if (copies_is_same(dev->files->parts[i].factory, view->items[k].real))
				return error_set(err, E_FORMAT, "the factory file '%s' is a part of the device itself",
						 dev->files->parts[i].factory);
	return 0;
}

static int load_all(const struct files_view *view, struct error *err)
{
	for (size_t i = 0; i < view->count; i++) {
		const struct files_item *item = &view->items[i];
		_cleanup_(buf_done) struct buf text = { 0 };

		if (item->part->load && (read_factory(&text, item->part, err) < 0 || files_load(item, buf_bytes(&text), 1, err) < 0))
			return err->code;
	}
	return 0;
}

static int write_item(const struct files_item *item, struct error *err)
{
	_cleanup_(buf_done) struct buf text = { 0 };
	int r = read_factory(&text, item->part, err);

	if (r == 0 && is_absent(item->part))
		r = wipe_file(item->real, err);
	else if (r == 0)
		r = wipe_replace(item->real, buf_bytes(&text), err);
	if (r == FS_ABSENT)
		r = files_write(item, buf_bytes(&text), err);
	return r < 0 ? r : copies_wipe_beside(item->real, is_absent(item->part) ? NULL : item->part->factory, err);
}

static int write_all(const struct files_view *view, struct error *err)
{
	for (size_t i = 0; i < view->count; i++)
		if (write_item(&view->items[i], err) < 0)
			return err->code;
	return 0;
}

/* What cannot load by itself is told to read what is on disk now; a part that shows what it runs is asked. */
static int reload_all(const struct settings_device *dev, struct error *err)
{
	_cleanup_(files_view_done) struct files_view view = { 0 };
	_cleanup_(files_loaded_done) struct files_loaded loaded = { 0 };
	int r = files_view_read(&view, dev->files, err);

	if (r == 0)
		r = files_loaded_read(&loaded, dev, &view, NULL, err);
	for (unsigned i = 0; r == 0 && i < dev->files->parts_count; i++) {
		const struct settings_part *part = &dev->files->parts[i];

		if (part->load || !part->reload)
			continue;
		r = files_reload(part, err);
		if (r == 0 && files_is_tracked(part))
			files_loaded_take(&loaded, part, &view);
	}
	return r == 0 ? files_loaded_write(&loaded, err) : r;
}

/* Does everything run and lie there as the factory's? */
static int read_back(const struct settings_device *dev, struct error *err)
{
	_cleanup_(files_view_done) struct files_view view = { 0 };

	if (files_view_read(&view, dev->files, err) < 0)
		return err->code;
	for (size_t i = 0; i < view.count; i++) {
		const struct files_item *item = &view.items[i];
		_cleanup_(buf_done) struct buf text = { 0 };
		int r = read_factory(&text, item->part, err);

		if (r < 0)
			return r;
		if (item->is_there == is_absent(item->part) ||
		    (item->is_there && !bytes_equal(buf_bytes(&text), buf_bytes(&item->content))))
			return error_set(err, E_PEER, "'%s': read back, it is not the factory's", item->path);
		r = item->part->running ? files_runs_as(item, buf_bytes(&text), err) : 1;
		if (r <= 0)
			return r < 0 ? r : error_set(err, E_PEER, "'%s': what runs is not the factory's", item->path);
	}
	return 0;
}

int files_factory_reset(struct device_erased *out, const struct settings_device *dev, struct error *err)
{
	_cleanup_(files_view_done) struct files_view view = { 0 };
	struct area *startup = device_area(out, "startup", "overwrite", AREA_CLEAR),
		    *running = device_area(out, "running", "load-and-reload", AREA_CLEAR);

	device_left(out, "every file of the machine that is no part of this device, log files and the journal among them");
	device_left(out, "copies of the files under other names or in other folders");
	device_left(out, "freed blocks, snapshots and journals of the file system, and what the medium copied by itself");
	if (check_all(dev, err) < 0 || files_view_read(&view, dev->files, err) < 0 || check_apart(dev, &view, err) < 0)
		return err->code;
	running->result = AREA_PARTIAL;
	if (load_all(&view, err) < 0)
		return err->code;
	startup->result = AREA_PARTIAL;
	if (write_all(&view, err) < 0 || reload_all(dev, err) < 0 || read_back(dev, err) < 0)
		return err->code;
	startup->result = running->result = AREA_DONE;
	startup->seen = running->seen = AREA_READ_BACK;
	return 0;
}
