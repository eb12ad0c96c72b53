/* be32.h - 32-bit numbers in network byte order, as SPDY and gRPC frames hold them. The address needs no alignment. */
#ifndef REACTOR_BE32_H
#define REACTOR_BE32_H

#include <stdint.h>

static inline uint32_t be32_get(const uint8_t *at)
{
	return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static inline void be32_put(uint8_t *at, uint32_t value)
{
	for (int i = 0; i < 4; i++)
		at[i] = (uint8_t)(value >> (24 - 8 * i));
}

#endif
