/* tests/unit/test-key.c -- keys have one form, and the fingerprint that ssh-keygen gives them; only their owner may read them. */
#include "tests/test.h"
#include "tests/unit/forging.h"

#include "base/fs.h"

TEST(fingerprints_are_those_of_ssh_keygen)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/id.pub", test_folder());
	const char *const argv[] = { "ssh-keygen", "-l", "-f", path, NULL };
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	char print[52], text[SIGN_PUB_TEXT_MAX], id[ID_LEN + 1];
	struct proc_result run = { 0 };
	struct error err = { 0 };

	make_key(&key, 5);
	for (int sk = 0; sk < 2; sk++) {
		struct sign_pub pub = key.pub, back;

		if (sk)
			token_pub(&pub, &key, "ssh:holdfast");
		sign_pub_text(text, &pub);
		sign_pub_fingerprint(print, &pub);
		CHECK_OK(sign_pub_parse(&back, bytes_str(text), false, &err));
		CHECK(sign_pub_equal(&pub, &back));
		CHECK_OK(fs_write(path, bytes_str(text), 0600, &err));
		CHECK_EQ(stock(&run, (struct bytes){ 0 }, argv), 0);
		CHECK(strstr(buf_text(&run.out), print));
		proc_result_done(&run);
		sign_pub_id(id, &pub);
		CHECK(id_is_valid(bytes_str(id)));
	}
}

TEST(a_public_key_has_one_form_only)
{
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	char text[SIGN_PUB_TEXT_MAX];
	const char *base64;
	struct error err = { 0 };
	struct sign_pub pub;

	make_key(&key, 5);
	sign_pub_text(text, &key.pub);
	base64 = strchr(text, ' ') + 1;
	CHECK_OK(sign_pub_parse(&pub, bytes_str(text), false, &err));
	for (size_t i = 0; i < strlen(text); i++)
		CHECK_EQ(sign_pub_parse(&pub, bytes_of(text, i), true, &err), E_FORMAT);

	const char *const bad[] = { "%s ", " %s", "%s\n", "%s=", "%s comment" };
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(mem_freep) char *changed = replaced(bad[i], "%s", text);

		CHECK_EQ(sign_pub_parse(&pub, bytes_str(changed), false, &err), E_FORMAT);
	}
	_cleanup_(mem_freep) char *renamed = mem_printf("sk-ssh-ed25519@openssh.com %s", base64),
				  *upper = mem_printf("SSH-ED25519 %s", base64), *tab = mem_printf("ssh-ed25519\t%s", base64),
				  *two = mem_printf("ssh-ed25519  %s", base64),
				  *option = mem_printf("cert-authority ssh-ed25519 %s", base64);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(renamed), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(upper), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(tab), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(two), false, &err), E_FORMAT);
	CHECK_EQ(sign_pub_parse(&pub, bytes_str(option), true, &err), E_FORMAT);
}

TEST(a_key_comes_back_from_its_seed_and_only_its_owner_may_read_it)
{
	_cleanup_(mem_freep) char *path = mem_printf("%s/key", test_folder());
	_cleanup_(sign_key_done) struct sign_key key = { 0 }, back = { 0 }, none = { 0 };
	_cleanup_(buf_done) struct buf text = { 0 };
	struct error err = { 0 };

	CHECK_EQ(sign_key_load(&none, path, &err), 1); /* FS_ABSENT */
	sign_key_new(&key);
	CHECK_OK(sign_key_store(&key, path, &err));
	CHECK_OK(sign_key_load(&back, path, &err));
	CHECK(sign_pub_equal(&key.pub, &back.pub));
	assert_memory_equal(key.pair.ptr, back.pair.ptr, 64);
	CHECK_EQ(fs_read(&text, path, 100, &err), 0);
	CHECK_EQ(text.len, 45); /* the seed alone: 32 bytes in base64 and a newline */
	CHECK_OK(fs_write(path, buf_bytes(&text), 0640, &err));
	CHECK_EQ(sign_key_load(&none, path, &err), E_DENIED);
}

TEST(a_damaged_key_file_is_refused)
{
	static const char *const bad[] = {
		"",
		"\n",
		"AAAA\n",
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n",  /* not padded */
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=\n", /* not canonical */
		"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", /* 33 bytes */
		"AAAAAAAAAAAAAAAAAAAAA\nAAAAAAAAAAAAAAAAAAAAAA=\n",
		"\200AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", /* libsodium 1.0.18 reads bytes from 0x80 on as 'A' */
	};
	_cleanup_(mem_freep) char *path = mem_printf("%s/key", test_folder());
	_cleanup_(sign_key_done) struct sign_key key = { 0 };
	struct error err = { 0 };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		CHECK_OK(fs_write(path, bytes_str(bad[i]), 0600, &err));
		if (sign_key_load(&key, path, &err) != E_FORMAT)
			fail_msg("file %zu is taken for a key", i);
	}
}
