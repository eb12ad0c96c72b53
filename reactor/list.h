/* list.h - intrusive doubly linked list: the link lives in the object, the list owns nothing. */
#ifndef REACTOR_LIST_H
#define REACTOR_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev; /* both NULL: on no list */
};

#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

/* Safe against unlinking the current element, not against unlinking the next one. */
#define list_each(it, head) \
	for (struct link *it = (head)->next, *it##_next; it != (head) && (it##_next = it->next, 1); it = it##_next)

static inline void list_init(struct link *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct link *head) { return head->next == head; }
static inline bool list_linked(const struct link *l) { return l->next != NULL; }

static inline void list_append(struct link *head, struct link *l)
{
	assert(!list_linked(l));
	l->prev = head->prev;
	l->next = head;
	head->prev->next = l;
	head->prev = l;
}

static inline struct link *list_first(const struct link *head) { return list_empty(head) ? NULL : head->next; }

static inline void list_drop(struct link *l)
{
	assert(list_linked(l));
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = NULL;
}

#endif
