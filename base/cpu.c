/* base/cpu.c -- what this processor does by itself. */
#include "base/cpu.h"

#if defined(__x86_64__) || defined(__i386__)
bool cpu_has_aes(void)
{
	return __builtin_cpu_supports("aes") && __builtin_cpu_supports("pclmul");
}
#elif defined(__aarch64__)
#include <sys/auxv.h>

bool cpu_has_aes(void)
{
	return (getauxval(AT_HWCAP) & (HWCAP_AES | HWCAP_PMULL)) == (HWCAP_AES | HWCAP_PMULL);
}
#else
bool cpu_has_aes(void)
{
	return false;
}
#endif
