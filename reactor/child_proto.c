/* child_proto.c - see child_proto.h. Writer and reader of the one layout. */
#include "reactor/child_proto.h"

#include <stdlib.h>

static const char *const default_env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };

void child_request_put(struct buf *b, const struct child_spec *s, const int *theirs, uint32_t nfds)
{
	put_strv(b, s->argv);
	put_strv(b, s->envp ? s->envp : default_env);
	put_strv(b, s->join_tasks);
	put_str(b, s->cwd ? s->cwd : "/");
	put_str(b, s->keep_id);
	put_str(b, s->pidfile);
	put_str(b, s->hide_path);
	put_u32(b, nfds);
	for (uint32_t i = 0; i < nfds; i++)
		put_u32(b, (uint32_t)theirs[i]);
	put_u32(b, s->join_cgroup_fd > 0);
	put_u32(b, (uint32_t)s->nenter);
	put_u32(b, s->unshare);
	put_u32(b, s->finish);
	put_u32(b, (uint32_t)s->oom_score_adj);
}

static bool numbers_distinct(const struct child_request *r)
{
	uint64_t used[(CHILD_FD_MAX + 1) / 64] = { 0 };

	for (uint32_t i = 0; i < r->nfds; i++) {
		int n = r->theirs[i];

		if (n < 0 || n > CHILD_FD_MAX || used[n / 64] & 1ull << (n % 64))
			return false;
		used[n / 64] |= 1ull << (n % 64);
	}
	return true;
}

static int child_request_read(struct child_request *r, const struct imsg *m)
{
	struct get g = get_from(m);
	uint32_t cgroup;

	r->argv = get_strv(&g);
	r->envp = get_strv(&g);
	r->join_tasks = get_strv(&g);
	r->cwd = get_str(&g);
	r->keep_id = get_str(&g);
	r->pidfile = get_str(&g);
	r->hide_path = get_str(&g);
	r->nfds = get_u32(&g);
	if (r->nfds > IMSG_FDS_MAX)
		return -1;
	for (uint32_t i = 0; i < r->nfds; i++)
		r->theirs[i] = (int)get_u32(&g);
	cgroup = get_u32(&g);
	r->nenter = get_u32(&g);
	r->unshare = get_u32(&g);
	r->finish = get_u32(&g) != 0;
	r->oom_score_adj = (int32_t)get_u32(&g);
	if (g.bad || g.at != g.end || cgroup > 1 || r->nenter > IMSG_FDS_MAX ||
	    (uint32_t)m->nfds != r->nfds + cgroup + r->nenter)
		return -1;
	r->fds = m->fds;
	r->cgroup_fd = cgroup ? m->fds[r->nfds] : -1;
	r->enter = m->fds + r->nfds + cgroup;
	return r->argv && r->argv[0] && r->argv[0][0] == '/' && r->envp && r->cwd && (r->keep_id || !r->pidfile) &&
	       numbers_distinct(r) ? 0 : -1;
}

int child_request_get(struct child_request *r, const struct imsg *m, struct err *e)
{
	*r = (struct child_request){ .cgroup_fd = -1 };
	if (child_request_read(r, m) == 0)
		return 0;
	child_request_free(r);
	return err_set(e, ERR_INVALID_ARGUMENT, "malformed spawn request of %zu bytes and %d fds", m->len, m->nfds);
}

void child_request_free(struct child_request *r)
{
	free(r->argv);
	free(r->envp);
	free(r->join_tasks);
	*r = (struct child_request){ .cgroup_fd = -1 };
}
