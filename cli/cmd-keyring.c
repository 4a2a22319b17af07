/* cli/cmd-keyring.c -- holdfast keyring export: the sealed epoch keys of all devices as files, each verified.
 *
 * They are what git must not hold (docs/reference/formats.md section 5), so a mirror alone opens nothing. Laid out like the server's own
 * keyring: DIR/<id>/<epoch>.body.age and .secrets.age, plain age files; beside them .body.rewrap.age and .secrets.rewrap.age, where a
 * reader made some: those say by what they hold whether they are right, which shows when they are opened. */
#include "cli/commands.h"

#include "base/fs.h"
#include "base/plural.h"
#include "cli/api.h"
#include "cli/fleet.h"
#include "cli/output.h"
#include "cli/show.h"

#include <string.h>

/* One run, and what became of it. */
struct exporting {
	const char *dir;
	struct opener *opener;
	struct api *api;
	struct progress progress;
	uint64_t total, done;             /* epochs */
	uint64_t written, kept, shredded; /* epochs */
	uint64_t failed;
	int worst; /* code of a failure that did not end it */
};

static const char *const parts[] = { "body", "secrets" };

/* 0: written. 1: there already. CLI_CONFLICT: another content is there. */
static int put_seal(const char *path, struct bytes seal, struct error *err)
{
	_cleanup_(buf_done) struct buf old = { 0 };
	int r = fs_read(&old, path, SEAL_MAX, err);

	if (r == FS_ABSENT)
		return fs_write(path, seal, 0600, err);
	if (r < 0 && r != E_LIMIT)
		return r;
	if (r == 0 && bytes_equal(buf_bytes(&old), seal))
		return 1;
	return error_set(err, CLI_CONFLICT, "'%s' is there with another content; nothing was written over it", path);
}

static int put_epoch(struct exporting *x, const char *id, uint64_t epoch, const struct container *c, struct error *err)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/%s", x->dir, id);
	size_t kept = 0;

	if (fs_mkdirs(dir, 0700, err) < 0 || fs_sync_dir(x->dir, err) < 0)
		return err->code;
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%llu.%s.age", dir, (unsigned long long)epoch, parts[i]);
		_cleanup_(mem_freep) char *name = mem_printf("%s-key", parts[i]);
		int r = put_seal(path, container_seal(c, name), err);

		if (r < 0)
			return r;
		kept += r == 1;
	}
	if (kept == ARRAY_SIZE(parts))
		x->kept++;
	else
		x->written++;
	return 0;
}

/* A newer one replaces it: it is sealed to the people of a later root. */
static int put_rewraps(const struct exporting *x, const char *id, uint64_t epoch, struct error *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_(mem_freep) char *file = mem_printf("%s/%s/%llu.%s.rewrap.age", x->dir, id, (unsigned long long)epoch, parts[i]);
		_cleanup_(mem_freep) char *path =
			mem_printf("/v1/devices/%s/epochs/%llu/%s-key", id, (unsigned long long)epoch, parts[i]);
		_cleanup_(buf_done) struct buf seal = { 0 };
		int r = api_get(&seal, x->api, path, SEAL_MAX, err);

		if (r == 0 && !age_is_file(buf_bytes(&seal)))
			r = error_set(err, E_SEAL, "what the server gives for '%s' is no age file", path);
		if (r == 0)
			r = fs_write(file, buf_bytes(&seal), 0600, err);
		if (r < 0 && r != CLI_ABSENT)
			return r;
	}
	return 0;
}

static bool is_exported(const struct exporting *x, const char *id, uint64_t epoch)
{
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s/%llu.%s.age", x->dir, id, (unsigned long long)epoch, parts[i]);
		_cleanup_(buf_done) struct buf old = { 0 };
		struct error ignored;

		if (fs_read(&old, path, SEAL_MAX, &ignored) != FS_ABSENT)
			return true;
	}
	return false;
}

static void note_shredded(struct exporting *x, const struct fleet_member *m, uint64_t epoch)
{
	x->shredded++;
	if (is_exported(x, m->id, epoch))
		output_note("holdfast: note: epoch %llu of '%s' is not on the server any more, and '%s/%s' still has it: "
			    "if it was shredded, remove it",
			    (unsigned long long)epoch, m->name, x->dir, m->id);
}

static int export_epoch(struct exporting *x, const struct fleet_member *m, uint64_t epoch, struct error *err)
{
	_cleanup_(buf_done) struct buf bytes = { 0 };
	_cleanup_(container_done) struct container c = { 0 };
	int r = opener_epoch(&c, &bytes, x->opener, m->id, epoch, err);

	if (r == 0)
		r = put_epoch(x, m->id, epoch, &c, err);
	if (r == 0)
		r = put_rewraps(x, m->id, epoch, err);
	if (r == CLI_ABSENT) {
		note_shredded(x, m, epoch);
		return 0;
	}
	return r;
}

/* What is wrong with one epoch must be loud, and is no reason to leave the others without a copy. */
static int export_member(struct exporting *x, const struct fleet_member *m, struct error *err)
{
	for (uint64_t epoch = 1; epoch <= m->epoch; epoch++) {
		int r = export_epoch(x, m, epoch, err);

		if (r < 0 && r != E_SEAL && r != CLI_CONFLICT)
			return r;
		if (r < 0) {
			output_note("holdfast: epoch %llu of '%s': %s", (unsigned long long)epoch, m->name, err->text);
			x->failed++;
			x->worst = x->worst == E_SEAL ? E_SEAL : r;
		}
		progress_show(&x->progress, ++x->done, x->total);
	}
	return 0;
}

static int export_all(struct exporting *x, const struct fleet_list *list, struct error *err)
{
	int r = fs_mkdirs(x->dir, 0700, err);

	for (size_t i = 0; i < list->count; i++)
		x->total += list->members[i].epoch;
	for (size_t i = 0; i < list->count && r == 0; i++)
		if (list->members[i].is_admitted)
			r = export_member(x, &list->members[i], err);
	progress_end(&x->progress);
	return r;
}

static int print(const struct cli *cli, const struct exporting *x, struct error *err)
{
	_cleanup_(buf_done) struct buf line = { 0 };

	if (cli->json)
		return output_json("keyring-export",
				   json_pack("{s:o, s:I, s:I, s:I, s:I}", "folder", show_text(bytes_str(x->dir)), "written",
					     (json_int_t)x->written, "kept", (json_int_t)x->kept, "absent", (json_int_t)x->shredded,
					     "failed", (json_int_t)x->failed),
				   err);
	buf_addf(&line, "epochs: %llu written, %llu there already, %llu not on the server\n", (unsigned long long)x->written,
		 (unsigned long long)x->kept, (unsigned long long)x->shredded);
	return output_raw(buf_bytes(&line), err);
}

int cmd_keyring_export(struct cli *cli, const struct args *args, struct error *err)
{
	_cleanup_(fleet_list_done) struct fleet_list list = { 0 };
	_cleanup_(opener_freep) struct opener *opener = NULL;
	struct exporting x = { .dir = args->value[0], .progress = { .what = "epochs" } };
	int r = fleet_list_get(&list, cli, err);

	if (r == 0)
		r = fleet_opener(&opener, cli, err);
	x.opener = opener;
	x.api = cli->api;
	if (r == 0)
		r = export_all(&x, &list, err);
	if (r == 0)
		r = print(cli, &x, err);
	if (r < 0)
		return r;
	if (x.failed)
		return error_set(err, x.worst, "%llu of %llu %s not exported", (unsigned long long)x.failed, (unsigned long long)x.total,
				 plural(x.total, "epoch was", "epochs were"));
	return 0;
}
