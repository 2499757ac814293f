import { Janitor } from '../janitor/janitor.ts'
import { choresOf } from './cleanup-tasks.ts'
import { createPeopleRooms } from './people-services.ts'
import type { World } from './runtime.ts'
import { createTokenRooms } from './token-services.ts'

export type { World } from './runtime.ts'

export type Rooms = Awaited<ReturnType<typeof createRooms>>

/** Builds every room once, from the ground up. Routes are mounted on them by routes.ts, commands by cli/. */
export async function createRooms(world: World) {
  const tokens = await createTokenRooms(world)
  const people = await createPeopleRooms(world, tokens)
  const chores = choresOf(world, { ...tokens, ...people })
  const janitor = new Janitor({ db: world.db, now: world.now, chores })
  return { ...tokens, ...people, janitor }
}
