/* list.h - intrusive doubly linked list: the link is a member of the object, the list owns nothing. */
#ifndef REACTOR_LIST_H
#define REACTOR_LIST_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *next, *prev; /* both NULL: on no list */
};

#define container_of(p, type, member) ((type *)((char *)(p) - offsetof(type, member)))

/* The body may unlink the current element, but not the next one. */
#define list_each(it, head) \
	for (struct link *it = (head)->next, *it##_next; it != (head) && (it##_next = it->next, 1); it = it##_next)

static inline void list_init(struct link *head) { head->next = head->prev = head; }
static inline bool list_empty(const struct link *head) { return head->next == head; }
static inline bool list_linked(const struct link *link) { return link->next != NULL; }

static inline void list_append(struct link *head, struct link *link)
{
	assert(!list_linked(link));
	link->prev = head->prev;
	link->next = head;
	head->prev->next = link;
	head->prev = link;
}

static inline struct link *list_first(const struct link *head) { return list_empty(head) ? NULL : head->next; }

static inline void list_drop(struct link *link)
{
	assert(list_linked(link));
	link->prev->next = link->next;
	link->next->prev = link->prev;
	link->next = link->prev = NULL;
}

#endif
