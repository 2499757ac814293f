import type { Foreseen, RefreshRotation } from '../sessions/refresh-rotation.ts'
import type { RefreshTokenContent } from '../sessions/refresh-token.ts'
import type { FamilyRow } from '../sessions/session.ts'
import { readSession } from '../sessions/session-reads.ts'
import {
  type Check,
  type Expected,
  type Explanation,
  quoted,
  relative,
  upTo,
} from './explanation.ts'
import { clientCheck, endText, expiryText, personCheck } from './parties.ts'
import type { Sources } from './sources.ts'
import { audienceCheck, scopeCheck } from './token-checks.ts'

/** The checks of a refresh token, in the order in which the server does them. */
const names = [
  'form',
  'signature',
  'session',
  'owner',
  'end',
  'person',
  'client',
  'time',
  'generation',
] as const

type Name = (typeof names)[number]

/** The check that each outcome of a rotation stands for; undefined: it succeeds. */
const checkOf: Readonly<Record<Foreseen['outcome'], Name | undefined>> = {
  forged: 'signature',
  unknown: 'session',
  other_client: 'owner',
  revoked: 'end',
  user_disabled: 'person',
  client_disabled: 'client',
  expired: 'time',
  reused: 'generation',
  abandoned: 'generation',
  rotated: undefined,
  repeated: undefined,
  ahead: undefined,
}

/** Explains a refresh token. Nothing is rotated and no session is ended. */
export async function explainRefreshToken(
  token: string,
  expected: Expected,
  sources: Sources,
): Promise<Explanation> {
  const { codec, refreshRotation } = sources
  const fault = codec.faultOf(token)
  const content = codec.decode(token)
  if (!content) {
    const message =
      fault === 'form'
        ? `${token.length} characters are not srt_ and a whole token: it was cut or changed`
        : 'this installation did not issue it: it was changed, or is of another environment'
    return {
      subject: 'refresh token',
      checks: upTo(names, fault ?? 'signature', {
        form: 'srt_ and a whole token',
        [fault ?? 'signature']: message,
      }),
      notes: [],
    }
  }
  const foreseen = await refreshRotation.foresee(content, expected.clientId)
  const { row } = foreseen
  const checks = await checksOf(foreseen, content, expected, sources)
  if (row) checks.push(audienceCheck(row.audience, expected), scopeCheck(row.scope, expected))
  return { subject: 'refresh token', id: content.sid, checks, notes: [] }
}

async function checksOf(
  { row, outcome }: Foreseen,
  content: RefreshTokenContent,
  expected: Expected,
  sources: Sources,
): Promise<Check[]> {
  const own = { form: 'srt_ and a whole token', signature: 'issued by this installation' }
  if (!row) {
    const session = await absentText(content, sources)
    return upTo(names, 'session', { ...own, session })
  }
  const now = sources.now()
  const isExpired = expiryText(row, now)
  return upTo(names, checkOf[outcome], {
    ...own,
    session: `${row.sid}, begun ${relative(row.auth_time, now)}`,
    owner: ownerText(row, expected),
    end: row.revoked_at ? await endText(sources, row, row.revoked_at) : endTextOf(outcome),
    person: (await personCheck(sources, row.user_id)).message,
    client: (await clientCheck(sources, row.client_id)).message,
    time: isExpired ?? `lives until ${relative(row.idle_expires_at, now)} if it is not used`,
    generation: generationText(row, content, outcome, sources.refreshRotation, now),
  })
}

const endTextOf = (outcome: Foreseen['outcome']): string =>
  outcome === 'revoked' ? 'Redis knows of its end, PostgreSQL has lost it' : 'it has not ended'

const ownerText = ({ client_id: id }: FamilyRow, { clientId }: Expected): string =>
  clientId === undefined || clientId === id
    ? `issued to ${id}`
    : `issued to ${id}, not to ${quoted(clientId)}`

/** The row is missing, or it is of another family: a dump that was restored has older ones. */
async function absentText({ sid }: RefreshTokenContent, { db, users }: Sources): Promise<string> {
  const row = await readSession(db, sid)
  if (!row) {
    return `there is no session ${sid} (any more): it expired, or the database was restored`
  }
  return (await users.find(row.user_id))
    ? `the session ${sid} has another family of tokens, or its client was deleted`
    : `the person of the session ${sid} was deleted`
}

function generationText(
  row: FamilyRow,
  { generation }: RefreshTokenContent,
  outcome: Foreseen['outcome'],
  { graceSeconds }: RefreshRotation,
  now: Date,
): string {
  const place = `generation ${generation}, the newest is ${row.generation}`
  const spent = row.rotated_at ? `, rotated ${relative(row.rotated_at, now)}` : ''
  switch (outcome) {
    case 'repeated':
      return `${place}${spent}: spent, but within the grace of ${graceSeconds} s it gets the same successor`
    case 'ahead':
      return `${place}: PostgreSQL has lost a rotation, and follows the token`
    case 'reused':
      return `${place}${spent}: spent, and the grace of ${graceSeconds} s is over. Presenting it ends the session`
    default:
      return `${place}${spent}`
  }
}
