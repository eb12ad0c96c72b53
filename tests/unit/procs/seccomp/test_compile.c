/* test_compile.c - a compiled filter does in a process what its profile says; a profile that needs more than a
 * filter is refused. */
#include "procs/seccomp/compile.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "reactor/own.h"
#include "tests/tap.h"

/* In the profiles ' stands for ". */
static int compiled(const char *text, struct err *e)
{
	auto_free char *json = own_must(strdup(text));
	auto_json json_t *profile = NULL;

	for (char *c = json; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	profile = own_must(json_loads(json, 0, NULL));
	return seccomp_bpf_compile(profile, e);
}

static void confine(int fd)
{
	struct stat st;
	struct sock_fprog program;

	if (fstat(fd, &st) < 0)
		_exit(100);
	program = (struct sock_fprog){ (unsigned short)(st.st_size / 8),
				       mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0) };
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) < 0)
		_exit(101);
}

/* The errno of one system call in a process under the filter; 0: success. */
static int under(int fd, long number, long a, long b)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		confine(fd);
		syscall(SYS_exit_group, syscall(number, a, b) < 0 ? errno : 0); /* a sanitizer's _exit() calls more */
	}
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

/* A profile without x32 leaves its numbers, and -1, to the filter. */
static void what_is_of_x32_is_left_to_the_filter(void)
{
	struct err e;
	auto_fd int fd = compiled("{'defaultAction':'SCMP_ACT_ERRNO','architectures':['SCMP_ARCH_X86_64'],'syscalls':[{"
				  "'names':['exit_group'],'action':'SCMP_ACT_ALLOW'}]}", &e);

	ok(under(fd, 5000, 0, 0) == ENOSYS);
#ifdef __x86_64__
	ok(under(fd, 0x40000000 + SYS_getpid, 0, 0) > 1000);
	ok(under(fd, -1, 0, 0) == EPERM);
#endif
}

/* What is allowed here has numbers up to 439 (faccessat2) on every architecture of the test. */
static void what_is_newer_than_the_profile_is_unknown(void)
{
	static const char rules[] = "'architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86','SCMP_ARCH_X32'],'syscalls':[{"
				    "'names':['exit_group','faccessat2','rt_sigreturn'],'action':'SCMP_ACT_ALLOW'}]}";
	char text[512];
	struct err e;

	for (int strict = 0; strict < 2; strict++) {
		auto_fd int fd = -1;

		snprintf(text, sizeof(text), "{'defaultAction':'SCMP_ACT_%s',%s", strict ? "ERRNO" : "LOG", rules);
		fd = compiled(text, &e);
		ok(fd >= 0);
		ok(under(fd, SYS_getppid, 0, 0) == (strict ? EPERM : 0));
		ok((under(fd, 440, -1, 0) == ENOSYS) == strict); /* process_madvise */
		ok(under(fd, 5000, 0, 0) == ENOSYS);
		ok(under(fd, -1, 0, 0) == ENOSYS);
	}
}

static void it_does_what_the_profile_says(void)
{
	struct err e;
	auto_fd int fd = compiled(
		"{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_X86_64','SCMP_ARCH_X86'],'syscalls':["
		"{'names':['getppid','no_such_call'],'action':'SCMP_ACT_ERRNO'},"
		"{'names':['clone3'],'action':'SCMP_ACT_ERRNO','errnoRet':38},"
		"{'names':['personality'],'action':'SCMP_ACT_ERRNO','errnoRet':7,'args':[{'index':0,'value':8,'op':'"
		"SCMP_CMP_EQ'}]},"
		"{'names':['dup2'],'action':'SCMP_ACT_ERRNO','errnoRet':9,'args':[{'index':0,'value':240,'valueTwo':16,"
		"'op':'SCMP_CMP_MASKED_EQ'},{'index':1,'value':5,'op':'SCMP_CMP_GE'}]}]}",
		&e);

	ok(fd >= 0);
	ok(under(fd, SYS_getppid, 0, 0) == EPERM);
	ok(under(fd, SYS_clone3, 0, 0) == ENOSYS);
	ok(under(fd, SYS_personality, 8, 0) == 7);
	ok(under(fd, SYS_personality, 0xffffffff, 0) == 0);
#ifdef SYS_dup2
	ok(under(fd, SYS_dup2, 0x1f, 5) == 9);
	ok(under(fd, SYS_dup2, 0x2f, 5) == EBADF);
#endif
	ok(under(fd, SYS_getuid, 0, 0) == 0);
}

static void what_is_not_named_has_the_default(void)
{
	struct err e;
	auto_fd int fd = compiled("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':44,'syscalls':["
				  "{'names':['exit','exit_group','getuid'],'action':'SCMP_ACT_ALLOW'}]}", &e);
	auto_fd int deadly = compiled("{'defaultAction':'SCMP_ACT_KILL_PROCESS','syscalls':["
				      "{'names':['exit','exit_group'],'action':'SCMP_ACT_ALLOW'}]}", &e);

	ok(under(fd, SYS_getppid, 0, 0) == 44);
	ok(under(fd, SYS_getuid, 0, 0) == 0);
	ok(under(deadly, SYS_getuid, 0, 0) == 1000 + SIGSYS);
}

static const char *refused(const char *profile)
{
	static struct err e;
	int fd = compiled(profile, &e);

	if (fd >= 0)
		close(fd);
	return fd >= 0 ? "taken" : e.code == ERR_INVALID_ARGUMENT ? e.msg : "another code";
}

static void what_is_not_understood_is_left_to_the_runtime(void)
{
	is_str(refused("{}"), "defaultAction: not a string");
	is_str(refused("{'defaultAction':'SCMP_ACT_FLY'}"), "defaultAction: SCMP_ACT_FLY");
	is_str(refused("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':'1'}"), "defaultErrnoRet: not an integer");
	is_str(refused("{'defaultAction':'SCMP_ACT_ERRNO','defaultErrnoRet':70000}"), "defaultAction: SCMP_ACT_ERRNO");
	is_str(refused("{'defaultAction':'SCMP_ACT_ALLOW','listenerPath':'/x'}"),
	       "listenerPath: a listener needs the runtime");
	is_str(refused("{'defaultAction':'SCMP_ACT_ALLOW','architectures':['SCMP_ARCH_Z80']}"),
	       "architectures: SCMP_ARCH_Z80");
	is_str(refused("{'defaultAction':'SCMP_ACT_ALLOW','architectures':[7]}"), "architectures: not strings");
	is_str(refused("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_NOTIFY'}]}"),
	       "action: SCMP_ACT_NOTIFY");
	is_str(refused("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_ERRNO','"
		       "args':[{'index':6,'op':'SCMP_CMP_EQ'}]}]}"),
	       "args: SCMP_CMP_EQ of argument 6");
	is_str(refused("{'defaultAction':'SCMP_ACT_ALLOW','syscalls':[{'names':['read'],'action':'SCMP_ACT_ERRNO','"
		       "args':"
		       "[{'index':1,'op':'SCMP_CMP_EQ'},{'index':1,'op':'SCMP_CMP_NE'}]}]}"),
	       "args: argument 1 twice");
}

int main(void)
{
	it_does_what_the_profile_says();
	what_is_newer_than_the_profile_is_unknown();
	what_is_of_x32_is_left_to_the_filter();
	what_is_not_named_has_the_default();
	what_is_not_understood_is_left_to_the_runtime();
	return tap_end();
}
