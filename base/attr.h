/* base/attr.h -- compiler attributes and the few macros that are used everywhere. */
#pragma once

#include <stddef.h>

#define _must_check_ __attribute__((warn_unused_result))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))
#define _cleanup_(fn) __attribute__((cleanup(fn)))
#define _unused_ __attribute__((unused))

#define ARRAY_SIZE(a) (sizeof(a) / sizeof(*(a)))

#define container_of(ptr, type, member) ((type *)(void *)((char *)(ptr) - offsetof(type, member)))

/* Hands over what a cleanup would otherwise free: the variable is NULL afterwards. */
#define steal(ptr)                      \
	({                              \
		__typeof__(ptr) p_ = (ptr); \
		(ptr) = NULL;           \
		p_;                     \
	})
