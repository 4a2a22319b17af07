/* agent/no-tokens.c -- for a static agent: GnuTLS can ask tokens by PKCS #11, through a library that is nowhere to be had static. The agent
 * has no token and never asks for one; what it would need is here so that it links, and ends whoever calls it all the same. */
#include <gnutls/gnutls.h>
#include <stdlib.h>

#define EACH(_) \
	_(config_option) \
	_(message) _(module_finalize) _(module_get_flags) _(module_get_name) _(module_load) _(module_release) _(modules_load) \
		_(pin_file_callback) _(pin_get_length) _(pin_get_value) _(pin_new_for_string) _(pin_register_callback) _(pin_request) \
			_(pin_unref) _(pin_unregister_callback) _(space_strdup) _(space_strlen) _(strerror) _(uri_format) _(uri_free) \
				_(uri_get_attribute) _(uri_get_attributes) _(uri_get_module_info) _(uri_get_pin_source) \
					_(uri_get_pin_value) _(uri_get_token_info) _(uri_match_module_info) _(uri_match_token_info) \
						_(uri_new) _(uri_parse) _(uri_set_attribute)

#define NEVER(name) \
	_Noreturn void p11_kit_##name(void); \
	_Noreturn void p11_kit_##name(void) \
	{ \
		abort(); \
	}
EACH(NEVER)

/* Three processes start with this library in them, and one of them needs it: it says so (tls.c). */
GNUTLS_SKIP_GLOBAL_INIT
