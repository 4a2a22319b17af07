/* base/rest.c -- a process that has done its work for now gives back memory. */
#include "base/rest.h"

#include "base/attr.h"

#include <link.h>
#include <malloc.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

/* Segments that are not writable hold what is in the file and nothing else: the linker refuses relocations in them (-z text), and those
 * that become read-only after relocation (-z relro) are parts of writable ones. */
static int give_back(struct dl_phdr_info *info, size_t size _unused_, void *ctx)
{
	uintptr_t page = *(const uintptr_t *)ctx;

	for (size_t i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t begin = info->dlpi_addr + segment->p_vaddr, end = begin + segment->p_memsz;

		if (segment->p_type != PT_LOAD || segment->p_flags & PF_W || !segment->p_memsz)
			continue;
		begin &= ~(page - 1);
		end = (end + page - 1) & ~(page - 1);
		/* a kernel that does not want to is as well */
		(void)!madvise((void *)begin, end - begin, MADV_DONTNEED);
	}
	return 0;
}

void rest(void)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

#ifdef __GLIBC__
	malloc_trim(0);
#endif
	dl_iterate_phdr(give_back, &page);
}
