/* tests/unit/test-age.c -- age files against the published vectors, the real age, and what must be refused. */
#include "tests/test.h"

#include "base/fs.h"
#include "base/proc.h"
#include "crypto/age.h"
#include "crypto/key.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <zlib.h>

struct vector {
	char expect[32], passphrase[128];
	char payload[2 * 32 + 1];
	struct age_identity ids[4];
	size_t id_count;
	bool zlib, unsupported, has_passphrase, armoured;
};

static void inflate_all(struct buf *out, struct bytes in)
{
	z_stream z = { .next_in = (uint8_t *)(uintptr_t)in.ptr, .avail_in = (uInt)in.len };
	uint8_t chunk[65536];
	int r;

	CHECK_EQ(inflateInit(&z), Z_OK);
	do {
		z.next_out = chunk;
		z.avail_out = sizeof(chunk);
		r = inflate(&z, Z_NO_FLUSH);
		CHECK(r == Z_OK || r == Z_STREAM_END);
		buf_add(out, chunk, sizeof(chunk) - z.avail_out);
	} while (r != Z_STREAM_END);
	inflateEnd(&z);
}

static void take_header(struct vector *v, struct bytes line)
{
	_cleanup_(mem_freep) char *text = mem_strndup((const char *)line.ptr, line.len);
	struct error err = { 0 };

	if (!strncmp(text, "expect: ", 8))
		snprintf(v->expect, sizeof(v->expect), "%s", text + 8);
	else if (!strncmp(text, "payload: ", 9))
		snprintf(v->payload, sizeof(v->payload), "%s", text + 9);
	else if (!strncmp(text, "identity: AGE-SECRET-KEY-1", 26) && v->id_count < ARRAY_SIZE(v->ids))
		CHECK_OK(age_identity_parse(&v->ids[v->id_count++], bytes_str(text + 10), &err));
	else if (!strncmp(text, "identity: ", 10))
		v->unsupported = true;
	else if (!strncmp(text, "passphrase: ", 12)) {
		snprintf(v->passphrase, sizeof(v->passphrase), "%s", text + 12);
		v->has_passphrase = true;
	} else if (!strcmp(text, "compressed: zlib"))
		v->zlib = true;
	else if (!strcmp(text, "armored: yes"))
		v->armoured = true;
}

static const char *category(int r, const struct error *err)
{
	if (r == 0)
		return "success";
	if (strstr(err->text, "armour"))
		return "armor failure";
	if (strstr(err->text, "MAC is wrong"))
		return "HMAC failure";
	if (strstr(err->text, "payload"))
		return "payload failure";
	if (strstr(err->text, "sealed to other") || strstr(err->text, "passphrase does not"))
		return "no match";
	if (strstr(err->text, "header") || strstr(err->text, "not an age file"))
		return "header failure";
	return err->text;
}

static int open_vector(struct buf *out, const struct vector *v, struct bytes in, struct error *err)
{
	int r = E_SEAL;

	if (v->has_passphrase)
		return age_open_passphrase(out, in, bytes_str(v->passphrase), 32 << 20, err);
	for (size_t i = 0; i < v->id_count; i++) {
		r = age_open(out, in, &v->ids[i], 32 << 20, err);
		if (r == 0 || !strstr(err->text, "sealed to other"))
			return r;
	}
	return r;
}

/* 1 when judged, 0 when of a kind that is not supported (post-quantum identities). */
static int judge(const char *path, const char *name, int *wrong)
{
	_cleanup_(buf_done) struct buf file = { 0 }, body = { 0 }, out = { 0 };
	struct vector v = { 0 };
	struct error err = { 0 };
	struct bytes rest, line;
	char hash[65];
	int r;

	CHECK_OK(fs_read(&file, path, 16 << 20, &err));
	rest = buf_bytes(&file);
	while (bytes_next_line(&rest, &line) && line.len)
		take_header(&v, line);
	if (v.unsupported)
		return 0;
	if (!v.id_count && !v.has_passphrase) /* broken before any key matters */
		age_identity_new(&v.ids[v.id_count++]);
	if (v.zlib)
		inflate_all(&body, rest);
	else
		buf_add_bytes(&body, rest);
	r = open_vector(&out, &v, buf_bytes(&body), &err);
	/* we tell armour by its first line; a file that was to be armoured and is not recognised failed as armour */
	if (v.armoured && r < 0 && !age_is_file(buf_bytes(&body)))
		error_set(&err, E_FORMAT, "armour not recognised");
	if (strcmp(category(r, &err), v.expect) != 0) {
		printf("%s: expected %s, got %s\n", name, v.expect, category(r, &err));
		++*wrong;
	}
	if (r == 0) {
		sha256_hex(hash, buf_bytes(&out));
		CHECK_STR(hash, v.payload);
	} else {
		CHECK_EQ(out.len, 0); /* nothing comes out before everything is verified */
	}
	for (size_t i = 0; i < v.id_count; i++)
		age_identity_done(&v.ids[i]);
	return 1;
}

TEST(every_published_vector_gives_its_expected_result)
{
	_cleanup_(mem_freep) char *dir = mem_printf("%s/tests/vectors/age", getenv("HOLDFAST_SOURCE"));
	DIR *d = opendir(dir);
	struct dirent *entry;
	int judged = 0, skipped = 0, wrong = 0;

	CHECK(d);
	while ((entry = readdir(d))) {
		_cleanup_(mem_freep) char *path = mem_printf("%s/%s", dir, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		if (judge(path, entry->d_name, &wrong))
			judged++;
		else
			skipped++;
	}
	closedir(d);
	printf("figure: %d age vectors as expected, %d of kinds not supported (post-quantum)\n", judged, skipped);
	CHECK(judged > 100);
	CHECK_EQ(wrong, 0);
}

static void round_trip(size_t len)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	_cleanup_(buf_done) struct buf plain = { 0 }, sealed = { 0 }, back = { 0 }, text = { 0 };
	_cleanup_(mem_freep) char *key = mem_printf("%s/key", test_folder());
	const char *const argv[] = { "age", "-d", "-i", key, NULL };
	struct proc_result run = { 0 };
	struct error err = { 0 };

	memset(buf_extend(&plain, len), 'x', len);
	age_identity_new(&id);
	CHECK_OK(age_seal(&sealed, &id.pub, 1, buf_bytes(&plain), &err));
	CHECK_OK(age_open(&back, buf_bytes(&sealed), &id, len, &err));
	CHECK(bytes_equal(buf_bytes(&back), buf_bytes(&plain)));
	age_identity_text(&text, &id);
	buf_add_char(&text, '\n');
	CHECK_OK(fs_write(key, buf_bytes(&text), 0600, &err));
	CHECK_OK(proc_run(&run, argv, buf_bytes(&sealed), 10000, 4 << 20, &err));
	CHECK_EQ(run.status, 0);
	CHECK(bytes_equal(buf_bytes(&run.out), buf_bytes(&plain)));
	proc_result_done(&run);
}

TEST(the_real_age_opens_what_we_seal)
{
	round_trip(0);
	round_trip(1);
	round_trip(65536);
	round_trip(65537);
	round_trip(300000);
}

TEST(we_open_what_the_real_age_seals)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 };
	char to[AGE_RECIPIENT_LEN + 1];
	const char *const binary[] = { "age", "-r", to, NULL }, *const armoured[] = { "age", "-a", "-r", to, NULL };
	struct error err = { 0 };

	age_identity_new(&id);
	age_recipient_text(to, &id.pub);
	for (int i = 0; i < 2; i++) {
		_cleanup_(buf_done) struct buf back = { 0 };
		struct proc_result run = { 0 };

		CHECK_OK(proc_run(&run, i ? armoured : binary, bytes_str("hello"), 10000, 1 << 20, &err));
		CHECK_OK(age_open(&back, buf_bytes(&run.out), &id, 100, &err));
		CHECK_BYTES(buf_bytes(&back), "hello");
		proc_result_done(&run);
	}
}

TEST(a_file_for_somebody_else_or_too_large_gives_nothing)
{
	_cleanup_(age_identity_done) struct age_identity id = { 0 }, other = { 0 };
	_cleanup_(buf_done) struct buf sealed = { 0 }, back = { 0 };
	struct age_recipient zero = { { 0 } };
	struct error err = { 0 };

	age_identity_new(&id);
	age_identity_new(&other);
	CHECK_OK(age_seal(&sealed, &id.pub, 1, bytes_str("hello"), &err));
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &other, 100, &err), E_SEAL);
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &id, 4, &err), E_LIMIT);
	buf_add_char(&sealed, 'x');
	CHECK_EQ(age_open(&back, buf_bytes(&sealed), &id, 100, &err), E_SEAL);
	CHECK_EQ(back.len, 0);
	CHECK_EQ(age_seal(&sealed, &zero, 1, bytes_str("hello"), &err), E_SEAL);
}

TEST(a_passphrase_opens_what_it_sealed)
{
	_cleanup_(buf_done) struct buf sealed = { 0 }, back = { 0 };
	struct error err = { 0 };

	CHECK_OK(age_seal_passphrase(&sealed, bytes_str("correct horse"), 10, bytes_str("key"), &err));
	CHECK(age_is_passphrase_file(buf_bytes(&sealed)));
	CHECK_OK(age_open_passphrase(&back, buf_bytes(&sealed), bytes_str("correct horse"), 100, &err));
	CHECK_BYTES(buf_bytes(&back), "key");
	CHECK_EQ(age_open_passphrase(&back, buf_bytes(&sealed), bytes_str("wrong horse"), 100, &err), E_SEAL);
}
