import type { Knex } from 'knex'
import type { AuditEventName, AuditLog, RecordedEvent } from '../audit/audit-log.ts'
import type { RefusalRecord } from '../audit/refusal-record.ts'
import type { SealedValues } from '../authentication/sealed-values.ts'
import { type Client, ClientError } from '../clients/client.ts'
import type { ClientAssertions } from '../clients/client-assertions.ts'
import type { Clients } from '../clients/clients.ts'
import { later, type Now } from '../clock.ts'
import type { BrowserFlow } from '../grants/browser-flow.ts'
import type { LiveKeyring } from '../keyring/live-keyring.ts'
import type { AuthorizationCodes } from '../sessions/authorization-codes.ts'
import type { BrowserSessions } from '../sessions/browser-sessions.ts'
import type { RefreshRotation } from '../sessions/refresh-rotation.ts'
import type { RefreshTokenCodec } from '../sessions/refresh-token.ts'
import type { AccessTokens } from '../tokens/access-tokens.ts'
import type { IdTokens } from '../tokens/id-tokens.ts'
import type { Users } from '../users/users.ts'
import { momentOf } from './explanation.ts'

/** The services of the server that explanations ask; they change nothing. */
export interface Sources {
  readonly db: Knex
  readonly issuer: string
  readonly now: Now
  /** This machine's clock minus PostgreSQL's, in seconds. */
  readonly offsetSeconds: () => number
  readonly keyring: LiveKeyring
  readonly accessTokens: AccessTokens
  readonly idTokens: IdTokens
  readonly codec: RefreshTokenCodec
  readonly refreshRotation: RefreshRotation
  readonly codes: Pick<AuthorizationCodes, 'foresee'>
  readonly browsers: Pick<BrowserSessions, 'foresee'>
  readonly clients: Pick<Clients, 'get'>
  readonly users: Pick<Users, 'find' | 'findAny'>
  readonly audit: Pick<AuditLog, 'page'>
  readonly refusals: Pick<RefusalRecord, 'ofRequest' | 'latestOf'>
  readonly assertions: Pick<ClientAssertions, 'foresee'>
  readonly sealed: Pick<SealedValues, 'open'>
  readonly flow: Pick<BrowserFlow, 'open'>
}

/** A client, disabled or not. */
export function clientOf({ clients }: Sources, id: string): Promise<Client | undefined> {
  return clients.get(id).catch((error) => {
    if (error instanceof ClientError) return undefined
    throw error
  })
}

/** An event and its author, in words. */
function eventText({ id, event, at, ip, detail }: RecordedEvent): string {
  const by = typeof detail.by === 'string' ? ` by ${detail.by}` : ''
  const from = ip ? ` from ${ip}` : ''
  const author = by + from || ', on the command line or by the server'
  return `audit event ${id} ${event} at ${momentOf(at)}${author}`
}

/** A decision and its event are one transaction: their times differ by less. */
const withinSeconds = 10
const mostEvents = 200

type Subject = Parameters<AuditLog['page']>[0]

/** The event of a change that happened at a time: the nearest one of these names. */
export async function eventAt(
  { audit }: Sources,
  subjects: readonly Subject[],
  at: Date,
  names: readonly AuditEventName[],
  fits: (event: RecordedEvent) => boolean = () => true,
): Promise<RecordedEvent | undefined> {
  for (const subject of subjects) {
    const around = { from: later(at, -withinSeconds), until: later(at, withinSeconds) }
    const events = await audit.page({ ...subject, ...around }, mostEvents)
    const distance = (event: RecordedEvent) => Math.abs(event.at.getTime() - at.getTime())
    const [nearest] = events
      .filter(({ event }) => (names as readonly string[]).includes(event))
      .filter(fits)
      .sort((a, b) => distance(a) - distance(b))
    if (nearest) return nearest
  }
  return undefined
}

/** The newest event of a name that fits. */
export async function newestEvent(
  { audit }: Sources,
  filter: Subject,
  fits: (event: RecordedEvent) => boolean = () => true,
): Promise<RecordedEvent | undefined> {
  return (await audit.page(filter, mostEvents)).find(fits)
}

/** The end of a sentence that names the event, if it is in the trail. */
export const because = (event: RecordedEvent | undefined): string =>
  event ? ` (${eventText(event)})` : ''
