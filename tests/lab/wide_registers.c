/* For User-Mode Linux before 6.16 on processors whose register state is larger than it knows (AMX: 11 kB instead of 2.7).
 *
 * UML saves and restores the registers of its processes by ptrace(2) in a buffer of a fixed size. The host hands out a part of the state,
 * but takes back only the whole (arch/x86/kernel/fpu/regset.c, xstateregs_set: -EFAULT), so the guest panics at its first process:
 * "ptrace set fp regs failed, errno = 14". Preloaded into UML, this makes the whole of it: what the buffer does not hold is
 * said to be unused (Intel SDM volume 1, 13.4.2: XSTATE_BV), which it is, for no guest process may use it without asking.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NT_X86_XSTATE 0x202
#define XSTATE_BV 512 /* offset of the word that says which parts are in use */
#define TILES (3ULL << 17) /* AMX: configuration and data */

static char whole[1 << 16] __attribute__((aligned(64)));
static size_t size;

long ptrace(enum __ptrace_request request, ...)
{
	va_list list;
	va_start(list, request);
	pid_t pid = va_arg(list, pid_t);
	void *address = va_arg(list, void *);
	void *data = va_arg(list, void *);
	va_end(list);
	struct iovec told, *part = data;
	if (request == PTRACE_SETREGSET && (uintptr_t)address == NT_X86_XSTATE && part->iov_len > XSTATE_BV + 8) {
		if (!size) {
			told.iov_base = whole;
			told.iov_len = sizeof whole;
			if (syscall(SYS_ptrace, PTRACE_GETREGSET, pid, address, &told) == 0)
				size = told.iov_len;
			memset(whole, 0, sizeof whole);
		}
		if (size > part->iov_len) {
			uint64_t used;
			memcpy(whole, part->iov_base, part->iov_len);
			memcpy(&used, whole + XSTATE_BV, sizeof used);
			used &= ~TILES;
			memcpy(whole + XSTATE_BV, &used, sizeof used);
			told.iov_base = whole;
			told.iov_len = size;
			data = &told;
		}
	}
	/* PEEK requests want the C library's way with their result; UML makes none that gets here with data NULL. */
	if (request == PTRACE_PEEKTEXT || request == PTRACE_PEEKDATA || request == PTRACE_PEEKUSER) {
		long word;
		long status = syscall(SYS_ptrace, request, pid, address, &word);
		if (status < 0)
			return status;
		errno = 0;
		return word;
	}
	return syscall(SYS_ptrace, request, pid, address, data);
}
