import { eventually } from '../../tools/eventually.ts'
import { HttpClient } from '../../tools/http-client.ts'
import { log } from '../support/runner/checks.ts'
import type { Report } from '../support/runner/report.ts'
import { type Deployment, openDeployment } from './deployment.ts'
import { type Cost, endedSessions, Families, signInMany } from './families.ts'
import { faults } from './faults.ts'
import type { Place } from './instances.ts'

const familyCount = 60

/**
 * Brings the faults of the table in docs/operations.md, one after the other, over one deployment.
 * @param told gets the cost of each
 */
export async function faultsOfADeployment(
  place: Place,
  report: Report,
  told: (fault: string, cost: Cost) => void,
): Promise<void> {
  const deployment = await openDeployment(place)
  const { postgres, bouncer, instances, nginx } = deployment
  const statements = bouncer.isPreparing ? 'prepared' : 'not prepared'
  log(
    `three instances, nginx, PgBouncer ${bouncer.version} (statements ${statements}), Redis Cluster`,
  )
  const assertEnded = await endedSession(deployment)
  const all = await signInMany(postgres.url, instances, familyCount)
  const families = new Families([nginx], all)
  families.start()
  await families.refreshed(2)
  for (const [fault, bring] of Object.entries(faults)) {
    await report.check(`${fault} → no session is lost`, async () => {
      const lostBefore = families.lost
      families.forgetAnswers()
      await bring(deployment, families)
      await families.refreshed(2).catch((error: Error) => {
        const { summary } = families
        throw new Error(`${error.message}; answers: ${summary}; PgBouncer: ${bouncer.log()}`)
      })
      await assertEnded()
      const lost = families.lost - lostBefore
      const { summary: answers, refusedTokens } = families
      told(fault, { lost, families: familyCount, answers })
      if (lost > 0) throw new Error(`families lost: ${lost}; answers: ${answers}`)
      if (refusedTokens > 0) throw new Error(`${refusedTokens} good access tokens were refused`)
      return `families lost: 0 of ${familyCount}; answers: ${answers}`
    })
  }
  await families.stop()
  await report.check('after all of them → the server has ended no session', async () => {
    const ended = await endedSessions(postgres.url)
    if (ended !== '1 × token_revoked') throw new Error(`sessions ended: ${ended}`)
    return undefined
  })
}

/** A session that was signed out before the faults. @returns a check that it is still ended everywhere */
async function endedSession({ instances }: Deployment): Promise<() => Promise<void>> {
  const clients = instances.map(({ url }) => new HttpClient(url))
  const [client] = clients
  const { status, text, body } = (await client?.signIn()) ?? {}
  if (!client || status !== 200) throw new Error(`the sign-in was answered with ${status}: ${text}`)
  await client.revoke(body.refresh_token)
  const isRefused = async (one: HttpClient) => {
    const { status: introspected, body: found } = await one.introspect(body.access_token)
    if (introspected !== 200) return false
    if (found.active) throw new Error('a token of a session that was signed out is active')
    const { status: refreshed } = await one.refresh(body.refresh_token)
    if (refreshed === 200) throw new Error('a session that was signed out lives again')
    return refreshed === 400
  }
  return async () => {
    for (const one of clients) {
      // The instance may have to find its database again.
      const ask = () =>
        isRefused(one).catch((error) => (error.cause ? false : Promise.reject(error)))
      await eventually(ask, 'the instance answers', 60)
    }
  }
}
