/* tests/fake/token.c -- a simulated FIDO token, as a middleware that OpenSSH loads (SSH_SK_PROVIDER, PROTOCOL.u2f and sk-api.h of OpenSSH).
 *
 * ssh-keygen and ssh-agent are the real ones; only what would answer over USB is made here: $HOLDFAST_TOKEN names a folder that is the
 * token, with its `secret` (32 bytes), its `pin` (one line), and its `counter`. No folder: it is not plugged in. Somebody always touches
 * it. It protects nothing, and is good for tests only. */
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
	API_VERSION = 0x000a0000, /* of OpenSSH 9.0 and later */
	ALG_ED25519 = 1,
	TOUCHED = 0x01,
	PIN_ASKED = 0x04,
	FAILED = -1,
	UNSUPPORTED = -2,
	PIN_REQUIRED = -3,
	NO_TOKEN = -4,
	SEED_LEN = 32,
	PIN_MAX = 64,
};

struct sk_option {
	char *name, *value;
	uint8_t required;
};

struct sk_enroll_response {
	uint8_t flags;
	uint8_t *public_key;
	size_t public_key_len;
	uint8_t *key_handle;
	size_t key_handle_len;
	uint8_t *signature;
	size_t signature_len;
	uint8_t *attestation_cert;
	size_t attestation_cert_len;
	uint8_t *authdata;
	size_t authdata_len;
};

struct sk_sign_response {
	uint8_t flags;
	uint32_t counter;
	uint8_t *sig_r;
	size_t sig_r_len;
	uint8_t *sig_s;
	size_t sig_s_len;
};

struct sk_resident_key;

uint32_t sk_api_version(void);
int sk_enroll(uint32_t alg, const uint8_t *challenge, size_t challenge_len, const char *application, uint8_t flags, const char *pin,
	      struct sk_option **options, struct sk_enroll_response **out);
int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle, size_t handle_len,
	    uint8_t flags, const char *pin, struct sk_option **options, struct sk_sign_response **out);
int sk_load_resident_keys(const char *pin, struct sk_option **options, struct sk_resident_key ***out, size_t *count);

/* ---- what lies in the token ---- */

static ssize_t read_part(const char *name, void *out, size_t max)
{
	const char *folder = getenv("HOLDFAST_TOKEN");
	char path[512];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder ? folder : "", name);
	fd = folder ? open(path, O_RDONLY | O_CLOEXEC) : -1;
	if (fd < 0)
		return -1;
	n = read(fd, out, max);
	close(fd);
	return n;
}

static uint32_t next_counter(void)
{
	char path[512], text[16] = "";
	unsigned long n;
	FILE *file;

	read_part("counter", text, sizeof(text) - 1);
	n = strtoul(text, NULL, 10) + 1;
	snprintf(path, sizeof(path), "%s/counter", getenv("HOLDFAST_TOKEN"));
	file = fopen(path, "we");
	if (file) {
		fprintf(file, "%lu\n", n);
		fclose(file);
	}
	return (uint32_t)n;
}

/* 0, PIN_REQUIRED also for a wrong one, or NO_TOKEN. */
static int check(uint8_t flags, const char *pin)
{
	char want[PIN_MAX] = "";

	if (read_part("pin", want, sizeof(want) - 1) < 1)
		return NO_TOKEN;
	want[strcspn(want, "\n")] = 0;
	return (flags & PIN_ASKED) && (!pin || strcmp(pin, want) != 0) ? PIN_REQUIRED : 0;
}

/* A key of its own for each handle and application. */
static int make_pair(uint8_t pub[static 32], uint8_t pair[static 64], const char *application, const uint8_t *handle, size_t handle_len)
{
	uint8_t secret[SEED_LEN], seed[SEED_LEN];
	crypto_generichash_state st;

	if (sodium_init() < 0 || read_part("secret", secret, sizeof(secret)) != SEED_LEN)
		return NO_TOKEN;
	crypto_generichash_init(&st, secret, sizeof(secret), sizeof(seed));
	crypto_generichash_update(&st, handle, handle_len);
	crypto_generichash_update(&st, (const uint8_t *)application, strlen(application));
	crypto_generichash_final(&st, seed, sizeof(seed));
	crypto_sign_seed_keypair(pub, pair, seed);
	return 0;
}

/* ---- what OpenSSH asks of it ---- */

uint32_t sk_api_version(void)
{
	return API_VERSION;
}

/* OpenSSH frees what is in it. There is no attestation: a signature has to be there, and is not judged. */
static int answer(struct sk_enroll_response **out, const uint8_t pub[static 32], const uint8_t handle[static 32], uint8_t flags)
{
	struct sk_enroll_response *r = calloc(1, sizeof(*r));

	if (!r)
		return FAILED;
	r->flags = flags;
	r->public_key = malloc(32);
	r->key_handle = malloc(32);
	r->signature = calloc(1, 64);
	if (!r->public_key || !r->key_handle || !r->signature)
		return FAILED;
	memcpy(r->public_key, pub, 32);
	memcpy(r->key_handle, handle, 32);
	r->public_key_len = r->key_handle_len = 32;
	r->signature_len = 64;
	*out = r;
	return 0;
}

int sk_enroll(uint32_t alg, const uint8_t *challenge __attribute__((unused)), size_t challenge_len __attribute__((unused)),
	      const char *application, uint8_t flags, const char *pin, struct sk_option **options __attribute__((unused)),
	      struct sk_enroll_response **out)
{
	uint8_t handle[32], pub[32], pair[64];
	int r = alg == ALG_ED25519 ? check(flags, pin) : UNSUPPORTED;

	if (r < 0)
		return r;
	randombytes_buf(handle, sizeof(handle));
	r = make_pair(pub, pair, application, handle, sizeof(handle));
	return r < 0 ? r : answer(out, pub, handle, flags);
}

int sk_sign(uint32_t alg, const uint8_t *data, size_t data_len, const char *application, const uint8_t *handle, size_t handle_len,
	    uint8_t flags, const char *pin, struct sk_option **options __attribute__((unused)), struct sk_sign_response **out)
{
	uint8_t pub[32], pair[64], text[32 + 1 + 4 + 32];
	struct sk_sign_response *s;
	int r = alg == ALG_ED25519 ? check(flags, pin) : UNSUPPORTED;

	if (r == 0)
		r = make_pair(pub, pair, application, handle, handle_len);
	if (r < 0)
		return r;
	s = calloc(1, sizeof(*s));
	if (!s || !(s->sig_r = malloc(64)))
		return FAILED;
	s->flags = (uint8_t)(TOUCHED | (flags & PIN_ASKED));
	s->counter = next_counter();
	s->sig_r_len = 64;
	crypto_hash_sha256(text, (const uint8_t *)application, strlen(application));
	text[32] = s->flags;
	for (int i = 0; i < 4; i++)
		text[33 + i] = (uint8_t)(s->counter >> (24 - 8 * i));
	crypto_hash_sha256(text + 37, data, data_len);
	crypto_sign_detached(s->sig_r, NULL, text, sizeof(text), pair);
	*out = s;
	return 0;
}

int sk_load_resident_keys(const char *pin __attribute__((unused)), struct sk_option **options __attribute__((unused)),
			  struct sk_resident_key ***out __attribute__((unused)), size_t *count __attribute__((unused)))
{
	return UNSUPPORTED;
}
