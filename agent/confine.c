/* agent/confine.c -- what a child process gives up before it does anything. */
#include "agent/confine.h"

#include "base/log.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

/* What neither child has any business with. A list of what is denied, not of what is allowed: GnuTLS, the resolver and the C
 * library may change what they use with an update, and an agent that dies of an update helps nobody. */
static const int denied_to_both[] = {
	SCMP_SYS(ptrace),       SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(listen),
	SCMP_SYS(accept),       SCMP_SYS(accept4),          SCMP_SYS(mount),             SCMP_SYS(umount2),
	SCMP_SYS(pivot_root),   SCMP_SYS(init_module),      SCMP_SYS(finit_module),      SCMP_SYS(delete_module),
	SCMP_SYS(kexec_load),   SCMP_SYS(bpf),              SCMP_SYS(perf_event_open),   SCMP_SYS(keyctl),
	SCMP_SYS(add_key),      SCMP_SYS(request_key),      SCMP_SYS(reboot),            SCMP_SYS(swapon),
	SCMP_SYS(swapoff),      SCMP_SYS(settimeofday),     SCMP_SYS(clock_settime),     SCMP_SYS(open_by_handle_at),
	SCMP_SYS(userfaultfd), /* and what would do the same behind the filter's back: */
	SCMP_SYS(io_uring_setup),
};

static const int denied_to_net[] = {
	SCMP_SYS(execve), SCMP_SYS(execveat), SCMP_SYS(setns), SCMP_SYS(unshare), SCMP_SYS(chroot),
};

static int deny(const int *calls, size_t count, const int *more, size_t more_count, struct error *err)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ALLOW);
	int r = ctx ? 0 : -ENOMEM;

	for (size_t i = 0; r == 0 && i < count + more_count; i++) {
		int call = i < count ? calls[i] : more[i - count];

		r = seccomp_rule_add(ctx, SCMP_ACT_ERRNO(EPERM), call, 0);
		if (r == -EDOM || r == -EFAULT)
			r = 0; /* this architecture has no such call */
	}
	if (r == 0)
		r = seccomp_load(ctx);
	seccomp_release(ctx);
	errno = -r;
	return r < 0 ? error_sys(err, "cannot load a system call filter") : 0;
}

int confine_child(int parent, struct error *err)
{
	static const struct rlimit no_core = { 0, 0 };

	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    setrlimit(RLIMIT_CORE, &no_core) < 0)
		return error_sys(err, "cannot confine the process");
	if (getppid() != parent) /* it died before prctl() could tell */
		return error_set(err, E_PEER, "the parent process is gone");
	return 0;
}

int confine_user(const char *user, struct error *err)
{
	const struct passwd *pw;

	if (geteuid() != 0)
		return 0;
	pw = getpwnam(user);
	if (!pw || !pw->pw_uid)
		return error_set(err, E_DENIED, "no user '%s' to become, or it is root", user);
	if (setgroups(0, NULL) < 0 || setgid(pw->pw_gid) < 0 || setuid(pw->pw_uid) < 0)
		return error_sys(err, "cannot become user '%s'", user);
	/* the kernel forgets it when ids change */
	if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
		return error_sys(err, "cannot confine the process");
	return 0;
}

int confine_net(struct error *err)
{
	return deny(denied_to_both, sizeof(denied_to_both) / sizeof(int), denied_to_net, sizeof(denied_to_net) / sizeof(int), err);
}

void confine_apply(bool uses_network)
{
	struct error err = { 0 };

	if (!uses_network && unshare(CLONE_NEWNET) < 0)
		log_debug("apply keeps the network: unshare was refused");
	if (deny(denied_to_both, sizeof(denied_to_both) / sizeof(int), NULL, 0, &err) < 0)
		log_failure(LOG_WARNING, "apply-unfiltered", &err);
}
