import type { ExecutionContext } from 'ava'
import { startMailedServer } from '../mail/mailed-server.ts'
import { addPerson } from '../people/account-api.ts'
import { openProfile } from './chromium.ts'
import { hedy, type Tour } from './pages.ts'
import { registerClient, startRelyingParty } from './relying-party.ts'

/** Everything that the pages of `pageStates` need, and a tab. */
export async function startTour(t: ExecutionContext<unknown>, locale: string): Promise<Tour> {
  const { server, link } = await startMailedServer(t)
  const app = await startRelyingParty(t)
  await registerClient(server, app.callback)
  await addPerson(server, 'grace')
  const { id } = await addPerson(server, hedy.username)
  await server.db('users').where({ id }).update({ must_change_password: true })
  // Colors that change slowly have no contrast of their own.
  const { page, expect } = await openProfile(t, { locale, reducedMotion: 'reduce' })
  expect(/status of 4\d\d/)
  return { server, app, page, link }
}
