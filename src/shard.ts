import { randomUUID } from 'node:crypto'
import { v7 as uuidv7 } from 'uuid'

/**
 * The shard number is a part of an id: the twelve bits of `rand_a` of a UUIDv7 (RFC 9562 §5.7). A person's
 * are random, and the sessions, browsers and API keys of a person have the same, so that all of them can lie
 * on one database server and an id alone says on which (ADR 52).
 */
const place = { from: 15, to: 18 } as const

/** From 0 to 4095. */
export const shardOf = (id: string): number => Number.parseInt(id.slice(place.from, place.to), 16)

/** An id with the shard number of another. The same two ids always give the same one. */
export const inShardOf = (owner: string, id: string = uuidv7()): string =>
  id.slice(0, place.from) + owner.slice(place.from, place.to) + id.slice(place.to)

/** An id for a person, in any shard. The uuid library leaves the first of the twelve bits zero. */
export const newPersonId = (createdAt?: Date): string =>
  inShardOf(randomUUID(), uuidv7(createdAt && { msecs: createdAt.getTime() }))
