/* tests/unit/test-files-text.c -- a device whose configuration is files, as one text: reversible, canonical, and split from its secrets. */
#include "tests/test.h"
#include "tests/unit/masked.h"

#include "policies/files-text.h"

#include <stdio.h>
#include <stdlib.h>

#define HEAD "holdfast-files/1\n"
#define NFT "part nftables text 0644 root root /etc/nftables.conf\n"

static struct files_part part_of(const char *format, const char *path)
{
	return (struct files_part){
		.format = bytes_str(format), .owner = bytes_str("root"), .group = bytes_str("adm"), .path = bytes_str(path), .mode = 0640 };
}

static void check_round(const char *format, struct bytes content, enum files_kind kind)
{
	_cleanup_(buf_done) struct buf text = { 0 }, back = { 0 };
	_cleanup_(files_text_done) struct files_text parsed = { 0 };
	const struct files_part part = part_of(format, "/etc/a file");
	struct error err = { 0 };

	files_begin(&text);
	files_put(&text, &part, content);
	CHECK_OK(files_parse(&parsed, buf_bytes(&text), &err));
	CHECK_EQ(parsed.count, 1);
	CHECK_EQ(parsed.parts[0].kind, kind);
	CHECK_EQ(parsed.parts[0].mode, 0640);
	CHECK_BYTES(parsed.parts[0].group, "adm");
	CHECK_BYTES(parsed.parts[0].path, "/etc/a file");
	CHECK_OK(files_content(&back, &parsed.parts[0], &err));
	CHECK(bytes_equal(buf_bytes(&back), content));
}

TEST(what_is_put_in_comes_out_to_the_byte)
{
	check_round("plain", bytes_str("a\n\n b\n\tc \n"), FILES_TEXT);
	check_round("plain", bytes_str(""), FILES_TEXT);
	check_round("plain", bytes_str("\n"), FILES_TEXT);
	check_round("plain", bytes_str("no newline"), FILES_TEXT_OPEN);
	check_round("plain", bytes_str("a\n "), FILES_TEXT_OPEN);
	check_round("plain", bytes_str("part secret text 0600 a b /c\n"), FILES_TEXT);
	check_round("nftables", bytes_str("table inet a {\n}\n"), FILES_TEXT);
}

TEST(what_is_no_text_and_what_nobody_knows_is_base64)
{
	check_round("plain", bytes_of("a\0b\n", 4), FILES_BASE64);
	check_round("plain", bytes_str("a\r\n"), FILES_BASE64);
	check_round("nftables", bytes_str("\x1b[2J\n"), FILES_BASE64);
	check_round("secret", bytes_str("psk\n"), FILES_BASE64);
	check_round("secret", bytes_str(""), FILES_BASE64);
	check_round("of-tomorrow", bytes_str("psk\n"), FILES_BASE64);
}

TEST(only_a_hash_is_no_content)
{
	_cleanup_(buf_done) struct buf text = { 0 }, back = { 0 };
	_cleanup_(files_text_done) struct files_text parsed = { 0 };
	const struct files_part part = part_of("sshd", "/etc/a");
	static const uint8_t hash[32] = { 0xab };
	struct error err = { 0 };

	files_begin(&text);
	files_put_hash(&text, &part, hash);
	CHECK_OK(files_parse(&parsed, buf_bytes(&text), &err));
	CHECK_EQ(parsed.parts[0].kind, FILES_SHA256);
	CHECK_EQ(files_content(&back, &parsed.parts[0], &err), E_FORMAT);
	CHECK_STR(err.text, "line 3: the content is not known, only its hash");
}

static void refused(const char *text, const char *why)
{
	struct files_text parsed;
	struct error err = { 0 };

	CHECK_EQ(files_parse(&parsed, bytes_str(text), &err), E_FORMAT);
	if (!strstr(err.text, why))
		fail_msg("'%s' is not in '%s'", why, err.text);
	CHECK(!parsed.parts);
}

TEST(another_form_is_refused_and_its_line_named)
{
	refused("", "newline");
	refused("holdfast-files/2\n", "line 1");
	refused(HEAD "part plain text 0644 root root /a", "newline");
	refused(HEAD " stray\n", "line 2");
	refused(HEAD "part plain text 0644 root root a\n", "line 2");
	refused(HEAD "part plain text 0644 root root /a/../b\n", "line 2");
	refused(HEAD "part plain text 0644 root root /a//b\n", "line 2");
	refused(HEAD "part plain text 0644 root root /a/\n", "line 2");
	refused(HEAD "part plain text 644 root root /a\n", "line 2");
	refused(HEAD "part plain text 0844 root root /a\n", "line 2");
	refused(HEAD "part plain other 0644 root root /a\n", "line 2");
	refused(HEAD "part plain text 0644 root ro:ot /a\n", "line 2");
	refused(HEAD "part plain text 0644  root /a\n", "line 2");
	refused(HEAD "part plain text-open 0644 root root /a\n", "line 2");
	refused(HEAD "part plain base64 0644 root root /a\n", "line 2");
	refused(HEAD "part plain base64 0644 root root /a\n YQ==\n YQ==\n", "line 2");
	refused(HEAD "part plain text 0644 root root /b\n x\n y\npart plain text 0644 root root /b\n", "line 5");
	refused(HEAD "part plain text 0644 root root /b\npart plain text 0644 root root /a\n", "line 3");
}

static void check_canonical(const char *in, const char *want)
{
	_cleanup_(buf_done) struct buf once = { 0 }, twice = { 0 };

	files_canonical(&once, bytes_str(in));
	CHECK_STR(buf_text(&once), want);
	files_canonical(&twice, buf_bytes(&once));
	CHECK_STR(buf_text(&twice), want);
}

TEST(of_nft_comments_blanks_and_what_the_packet_path_adds_are_noise)
{
	check_canonical(HEAD NFT " # by hand\n table inet a {\n \tset s {\n \t\ttype ipv4_addr\n \t\tflags dynamic,timeout\n \t\telements "
				 "= { 1.2.3.4 timeout 3s,\n"
				 " \t\t\t     1.2.3.5 timeout 3s }\n \t}\n \n \tset t {\n \t\telements = { 1.1.1.1 }\n \t}\n \tchain c {\n "
				 "\t\taccept comment \"# in\"  \n \t}\n }\n",
			HEAD NFT " table inet a {\n \tset s {\n \t\ttype ipv4_addr\n \t\tflags dynamic,timeout\n \t}\n \tset t {\n "
				 "\t\telements = { 1.1.1.1 }\n \t}\n"
				 " \tchain c {\n \t\taccept comment \"# in\"\n \t}\n }\n");
}

TEST(other_files_are_kept_with_their_comments_and_blanks)
{
	static const char text[] = HEAD "part plain text 0644 root root /a\n # note \n \n x\n";

	check_canonical(text, text);
}

TEST(what_is_no_such_text_is_left_as_it_is)
{
	check_canonical("", "");
	check_canonical("add table inet a\n", "add table inet a\n");
	check_canonical("holdfast-files/9\n#\n", "holdfast-files/9\n#\n");
}

/* ---- secrets ---- */

static void check_masked(const char *text, const char *want)
{
	check_masked_by(files_secrets, "*", text, want);
}

static void check_line(const char *format, const char *line, const char *want)
{
	_cleanup_(mem_freep) char *text = mem_printf(HEAD "part %s text 0600 root root /a\n %s\n", format, line);
	_cleanup_(mem_freep) char *masked = mem_printf(HEAD "part %s text 0600 root root /a\n %s\n", format, want);

	check_masked(text, masked);
}

TEST(what_no_format_explains_is_secret_as_a_whole)
{
	check_line("secret", "x", "*");
	check_line("of-tomorrow", "x", "*");
	check_masked(HEAD "part plain base64 0600 root root /a\n AAA=\n", HEAD "part plain base64 0600 root root /a\n *\n");
	check_masked(HEAD "part sshd sha256 0600 root root /a\n abcd\n", HEAD "part sshd sha256 0600 root root /a\n *\n");
	check_masked("holdfast-files/1\nnonsense\n", "*\n*\n");
	check_masked("holdfast-files/1", "*");
}

TEST(nft_has_no_secrets_and_lines_are_read_as_nft)
{
	check_line("nftables", "tcp dport 22 accept comment \"no password\"", "tcp dport 22 accept comment \"no password\"");
	check_masked("add table inet a\n", "add table inet a\n");
}

TEST(plain_text_hides_what_follows_a_telling_word)
{
	check_line("plain", "password = x y", "password = *");
	check_line("plain", "DB_PASSWORD=x", "DB_PASSWORD=*");
	check_line("plain", "#psk=\"x\"", "#psk=\"*");
	check_line("plain", "{\"api-key\": \"x\"}", "{\"api-key\": \"*");
	check_line("plain", "<passwd>x</passwd>", "<passwd>*");
	check_line("plain", "user bob pass-phrase x", "user bob pass-phrase *");
	check_line("plain", "PrivateKey = x=", "PrivateKey = *");
	check_line("plain", "url https://bob:x@host/", "url https://*");
	check_line("plain", "Authorization: Bearer x", "Authorization: *");
	check_line("plain", "listen 80", "listen 80");
	check_line("plain", "password", "password");
}

TEST(known_formats_hide_what_is_secret_in_them)
{
	check_line("sshd", "PasswordAuthentication no", "PasswordAuthentication no");
	check_line("chrony", "1 SHA1 HEX:00", "1 *");
	check_line("chrony", "#1 key", "#1 *");
	check_line("chrony", "server ntp.example", "server ntp.example");
	check_line("rsyslog", "*.* :ommysql:db,syslog,u,x", "*.* *");
	check_line("rsyslog", "action(type=\"ommysql\" pwd=\"x\")", "action(type=\"ommysql\" pwd=\"*");
	check_line("rsyslog", "*.* /var/log/all", "*.* /var/log/all");
	check_line("wpa", "\tpsk=\"x\"", "\tpsk=\"*");
	check_line("wpa", "\twep_key0=x", "\twep_key0=*");
	check_line("wpa", "\tssid=\"net\"", "\tssid=\"net\"");
	check_line("ipsec-secrets", "10.0.0.1 : PSK \"x\"", "10.0.0.1 : *");
	check_line("ipsec-secrets", "# bob : EAP x", "# bob : *");
	check_line("ipsec-secrets", "  rest", "*");
	check_line("ipsec-secrets", "include ipsec.d/*.secrets", "include ipsec.d/*.secrets");
}

TEST(private_keys_are_hidden_wherever_they_stand_and_certificates_are_not)
{
	check_masked(HEAD
		     "part plain text 0600 root root /a\n x\n -----BEGIN PRIVATE KEY-----\n AAAA\n BBBB\n -----END PRIVATE KEY-----\n y\n",
		     HEAD "part plain text 0600 root root /a\n x\n -----BEGIN PRIVATE KEY-----\n *\n *\n -----END PRIVATE KEY-----\n y\n");
	check_masked(HEAD "part key text 0600 root root /a\n note\n -----BEGIN CERTIFICATE-----\n AAAA\n -----END CERTIFICATE-----\n",
		     HEAD "part key text 0600 root root /a\n *\n -----BEGIN CERTIFICATE-----\n AAAA\n -----END CERTIFICATE-----\n");
	/* cut short, the rest of the part is secret, and no more than that */
	check_masked(HEAD
		     "part sshd text 0600 root root /a\n -----BEGIN RSA PRIVATE KEY-----\n AAAA\npart sshd text 0600 root root /b\n x\n",
		     HEAD "part sshd text 0600 root root /a\n -----BEGIN RSA PRIVATE KEY-----\n *\npart sshd text 0600 root root /b\n x\n");
}

/* ---- values and lines from outside ---- */

TEST(a_value_neither_ends_a_statement_nor_begins_one)
{
	static const char *const bad[] = { "", "1;flush", "1 accept", "{", "$x", "a\nb", "a\"b", "#", "\\" };

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		CHECK(files_value_refused(bytes_str("add rule inet a b tcp dport "), bytes_str(bad[i]), FORM_WORD) != NULL);
	CHECK(!files_value_refused(bytes_str("add rule inet a b ip saddr "), bytes_str("10.0.0.0/8"), FORM_WORD));
	CHECK(!files_value_refused(bytes_str("add rule inet a b accept comment \""), bytes_str("to site B"), FORM_REST));
	CHECK(files_value_refused(bytes_str("add rule inet a b "), bytes_str("tcp dport 22 accept"), FORM_REST) != NULL);
	CHECK(files_value_refused(bytes_str("  "), bytes_str("flush"), FORM_WORD) != NULL);
}

TEST(a_line_that_reads_another_file_is_refused)
{
	CHECK(files_line_refused(bytes_str("include \"/etc/shadow\"")) != NULL);
	CHECK(files_line_refused(bytes_str("add table\x1b")) != NULL);
	CHECK(!files_line_refused(bytes_str("add table inet a")));
}
