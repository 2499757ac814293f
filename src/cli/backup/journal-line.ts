import { z } from 'zod'
import type { RecordedEvent } from '../../audit/audit-log.ts'
import { OperatorError } from '../../errors.ts'
import { linesOf } from '../people-transfer/lines.ts'

/**
 * The events that take something away from somebody, which a restored database gives back: with the person,
 * client, session, key or roles that they are about, and nothing else.
 */
const journalEvents = [
  'key.revoked',
  'user.deleted',
  'user.disabled',
  'user.enabled',
  'user.roles_changed',
  'user.password_set',
  'user.password_change_required',
  'user.sign_in_disowned',
  'user.email_changed',
  'user.sessions_ended',
  'user.signed_out',
  'session.revoked',
  'session.reused',
  'api_key.revoked',
  'consent.withdrawn',
  'client.disabled',
  'client.enabled',
  'client.deleted',
  'client.changed',
  'client.secret_rotated',
] as const

export type JournalEvent = (typeof journalEvents)[number]

const journalLine = z.strictObject({
  id: z.string().regex(/^[1-9]\d{0,18}$/),
  at: z.iso.datetime(),
  event: z.enum(journalEvents),
  user_id: z.uuid().optional(),
  client_id: z.string().min(1).max(255).optional(),
  sid: z.uuid().optional(),
  kid: z.string().max(100).optional(),
  api_key: z.uuid().optional(),
  roles: z.array(z.string().max(100)).max(100).optional(),
})

export type JournalLine = z.infer<typeof journalLine>

/** The line of an event, with its newline; undefined for events that take nothing away. */
export function lineOf(event: RecordedEvent): string | undefined {
  const { kid, key, roles } = event.detail
  const parsed = journalLine.safeParse({
    id: event.id,
    at: event.at.toISOString(),
    event: event.event,
    user_id: event.user_id ?? undefined,
    client_id: event.client_id ?? undefined,
    sid: event.sid ?? undefined,
    kid,
    api_key: event.event === 'api_key.revoked' ? key : undefined,
    roles,
  })
  return parsed.success ? `${JSON.stringify(parsed.data)}\n` : undefined
}

/**
 * The lines of a journal, in the order of their ids; those that stand in it twice, once.
 * @throws OperatorError naming the line that is none
 */
export async function* readJournal(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<JournalLine> {
  let last = 0n
  for await (const { number, text } of linesOf(chunks)) {
    const line = parse(text)
    if (!line) throw new OperatorError(`Line ${number} of the journal is not one of its events.`)
    const id = BigInt(line.id)
    if (id <= last) continue
    last = id
    yield line
  }
}

function parse(text: string | undefined): JournalLine | undefined {
  try {
    return journalLine.parse(JSON.parse(text ?? ''))
  } catch {
    return undefined
  }
}
