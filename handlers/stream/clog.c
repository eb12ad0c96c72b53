/* clog.c - see clog.h. */
#include "handlers/stream/clog.h"

/* For one port; for all ports of one client, of which there may be a thousand. */
enum { CLOG_HIGH = 256 * 1024, CLOG_LOW = 64 * 1024, CLOG_ALL_HIGH = 8 * 1024 * 1024, CLOG_ALL_LOW = 4 * 1024 * 1024 };

bool clog_given(struct clog *all, struct port_clog *port, size_t n)
{
	port->untaken += n;
	all->untaken += n;
	if (port->untaken >= CLOG_HIGH && !port->clogged) {
		port->clogged = true;
		all->clogged++;
	}
	all->all_clogged = all->all_clogged || all->untaken >= CLOG_ALL_HIGH;
	return all->clogged || all->all_clogged;
}

bool clog_taken(struct clog *all, struct port_clog *port, size_t n)
{
	port->untaken -= n;
	all->untaken -= n;
	if (port->clogged && port->untaken <= CLOG_LOW) {
		port->clogged = false;
		all->clogged--;
	}
	all->all_clogged = all->all_clogged && all->untaken > CLOG_ALL_LOW;
	return all->clogged || all->all_clogged;
}
