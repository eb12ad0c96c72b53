/* oom.c - see oom.h.
 *
 * An example with containers A and B: the pod counts 5 kills, A 1 and B 0, so 4 are older: B's floor is 4. Then B ends,
 * its group is gone, and the pod counts 6: 6 - 1 of A - floor 4 = 1 kill is B's. From now on A's floor is one higher.
 * When two containers end in one moment, the groups of both can be gone: then at most one kill is counted for each, not
 * the sum for both. */
#include "procs/oom.h"

#include "procs/cgroup.h"
#include "reactor/arena.h"

/* The kills of all other running containers; *dying: how many of them have no group to read. */
static int64_t counted_by_others(const struct container *c, size_t *dying)
{
	int64_t sum = 0;

	*dying = 0;
	list_each(it, &c->sandbox->containers) {
		const struct container *other = container_of(it, struct container, of_sandbox);
		int64_t n = other != c && other->state == CONTAINER_RUNNING ? cgroup_oom_kills(other->cgroup) : 0;

		*dying += n < 0;
		sum += n > 0 ? n : 0;
	}
	return sum;
}

/* A sandbox that is one process has all in the group of its box, and v1 counts a kill in the victim's group only. */
static int64_t counted_by_pod(const struct sandbox *s)
{
	struct arena *a = arena_new();
	int64_t n = cgroup_oom_kills(sandbox_inside(s) ? cgroup_pause_path(a, s->cgroup, s->id) : s->cgroup);

	arena_free(a);
	return n;
}

static int64_t unexplained(const struct container *c, size_t *dying)
{
	int64_t pod = counted_by_pod(c->sandbox), others = counted_by_others(c, dying);

	return pod > others ? pod - others : 0;
}

void oom_begin(struct container *c)
{
	size_t dying;

	c->oom_floor = unexplained(c, &dying);
}

static void raise_floors(const struct container *c, int64_t by)
{
	list_each(it, &c->sandbox->containers) {
		struct container *other = container_of(it, struct container, of_sandbox);

		if (other == c || other->state != CONTAINER_RUNNING)
			continue;
		other->oom_floor += by;
		container_must_save(other);
	}
}

bool oom_happened(struct container *c)
{
	bool inside = sandbox_inside(c->sandbox);
	int64_t n = inside ? -1 : cgroup_oom_kills(c->cgroup);
	size_t dying;

	if (n < 0) {
		n = unexplained(c, &dying) - c->oom_floor;
		if (n > 1 && dying)
			n = 1;
	}
	/* All processes of such a sandbox die in one kill, which is that of each of its containers. */
	if (n > 0 && !inside)
		raise_floors(c, n);
	return n > 0;
}
