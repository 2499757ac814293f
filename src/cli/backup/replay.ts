import { createReadStream } from 'node:fs'
import type { Command } from 'commander'
import type { Services } from '../../app/services.ts'
import { ClientError } from '../../clients/client.ts'
import { OperatorError } from '../../errors.ts'
import { generatePassword } from '../../passwords/passwords.ts'
import { withServices } from '../../server/open-runtime.ts'
import { UserError } from '../../users/user.ts'
import { answers, example } from '../output.ts'
import { openProgress } from '../progress.ts'
import { type JournalEvent, type JournalLine, readJournal } from './journal-line.ts'

const batchLines = 1000
/** Ids that are listed for each kind of change that has to be made by hand. */
const mostListed = 50

type Repeat = (services: Services, line: JournalLine) => Promise<boolean>

/** The events that no command can repeat, because the journal does not hold what was changed. */
const byHand: Partial<Record<JournalEvent, string>> = {
  'client.changed': 'settings of clients were changed: compare them with your records',
  'client.enabled': 'clients were enabled again: PATCH /api/v1/clients/{id} with disabled: false',
  'client.secret_rotated': 'secrets of clients were replaced: signet clients rotate-secret',
  'user.email_changed': 'people changed their address: they have to change it again',
  'user.password_set':
    'people chose another password: theirs is unusable now, and they request a link by mail',
}

export function replayCommand(backup: Command): void {
  const command = backup
    .command('replay')
    .description(
      'repeat in a restored database what a journal says was revoked, ended, deleted or disabled after the ' +
        'backup; without --yes it only counts',
    )
    .argument('<file>', 'see: signet backup journal')
    .option('--yes', 'confirm, while no instance serves')
  example(command, 'signet backup replay journal.jsonl', 'signet backup replay journal.jsonl --yes')
  answers<{ yes?: boolean }>(command, ({ yes = false }, file = '') =>
    withServices(async (services) => {
      const after = await lastKnown(services, file)
      const done = await replay(services, file, after, yes)
      return { json: { dry_run: !yes, after, ...done }, text: textOf(done, yes) }
    }),
  )
}

async function* linesIn(file: string): AsyncGenerator<JournalLine> {
  const source = createReadStream(file)
  try {
    yield* readJournal(source)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall === undefined) throw error
    throw new OperatorError(`${file} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}

/** The id of the last line that the database has, which is the end of its backup; 0 if it has none of them. */
async function lastKnown({ audit }: Services, file: string): Promise<string> {
  let known = '0'
  let batch: JournalLine[] = []
  const look = async () => {
    const present = await audit.present(batch.map(({ id }) => id))
    for (const { id, at, event } of batch) {
      const found = present.get(id)
      if (found?.event === event && found.at.toISOString() === at) known = id
    }
    batch = []
  }
  for await (const line of linesIn(file)) {
    batch.push(line)
    if (batch.length === batchLines) await look()
  }
  await look()
  return known
}

interface Done {
  /** By event, how many were repeated. */
  readonly repeated: Record<string, number>
  /** Events about somebody or something that the backup lacks, or that had no effect. */
  readonly without_effect: number
  /** By event, the ids that have to be looked at. */
  readonly by_hand: Record<string, string[]>
}

async function replay(
  services: Services,
  file: string,
  after: string,
  applies: boolean,
): Promise<Done> {
  const progress = openProgress(undefined)
  const repeated: Record<string, number> = {}
  const listed: Record<string, Set<string>> = {}
  let withoutEffect = 0
  let lines = 0
  for await (const line of linesIn(file)) {
    if (BigInt(line.id) <= BigInt(after)) continue
    const { event } = line
    lines += 1
    const repeat = repeats[event]
    const isDone = repeat ? !applies || (await attempt(repeat, services, line)) : false
    if (isDone) repeated[event] = (repeated[event] ?? 0) + 1
    else if (repeat) withoutEffect += 1
    if (byHand[event] && (isDone || !repeat)) note(listed, line)
    progress.update(0, `${lines} events of the journal`)
  }
  progress.end()
  const by_hand = Object.fromEntries(
    Object.entries(listed).map(([event, ids]) => [event, [...ids].sort()]),
  )
  return { repeated, without_effect: withoutEffect, by_hand }
}

function note(listed: Record<string, Set<string>>, { event, user_id, client_id }: JournalLine) {
  const id = event.startsWith('client.') ? client_id : user_id
  listed[event] ??= new Set()
  if (id !== undefined && listed[event].size < mostListed) listed[event].add(id)
}

/** People and clients who came after the backup are not in it. */
async function attempt(repeat: Repeat, services: Services, line: JournalLine): Promise<boolean> {
  try {
    return await repeat(services, line)
  } catch (error) {
    if (error instanceof UserError || error instanceof ClientError) return false
    throw error
  }
}

const endSessionsOfPerson: Repeat = async ({ administration }, { user_id }) => {
  if (user_id === undefined) return false
  const { sessions } = await administration.change(user_id, { endSessions: true })
  return sessions > 0
}

/** The session that the event names; a browser that signed out is not named, so all of its person end. */
const endSession: Repeat = (services, line) => {
  const { sid } = line
  if (sid === undefined) return endSessionsOfPerson(services, line)
  const { revocations, families } = services
  return revocations.decide(async (change) => {
    const ended = await families.end(change, { sid }, 'signed_out')
    return ended.length > 0
  })
}

const change =
  (changes: (line: JournalLine) => Parameters<Services['administration']['change']>[1]): Repeat =>
  async ({ administration }, line) => {
    await administration.change(line.user_id ?? '', changes(line))
    return true
  }

/**
 * The password of the backup may be the one that leaked. Nobody knows the new one: a stranger with the old one
 * must not be asked to choose another.
 */
const replacePassword: Repeat = async ({ users, credentials }, { user_id = '' }) => {
  const user = await users.find(user_id)
  if (!user) return false
  await credentials.set(user, generatePassword())
  return true
}

const repeats: Partial<Record<JournalEvent, Repeat>> = {
  async 'key.revoked'({ rotation, signingKeys }, { kid }) {
    const key = (await signingKeys.all()).find((candidate) => candidate.kid === kid)
    if (!key || key.revokedAt) return false
    await rotation.revoke(key.kid)
    return true
  },
  async 'user.deleted'({ administration }, { user_id = '' }) {
    await administration.delete(user_id)
    return true
  },
  'user.disabled': change(() => ({ disabled: true })),
  'user.enabled': change(() => ({ disabled: false })),
  'user.roles_changed': change(({ roles }) => ({ roles })),
  'user.password_change_required': change(() => ({ mustChangePassword: true })),
  'user.password_set': replacePassword,
  'user.sign_in_disowned': replacePassword,
  'user.sessions_ended': endSessionsOfPerson,
  'user.signed_out': endSessionsOfPerson,
  'session.revoked': endSession,
  'session.reused': endSession,
  'api_key.revoked': ({ apiKeys }, { user_id = '', api_key = '' }) =>
    apiKeys.revoke(user_id, api_key),
  'consent.withdrawn': ({ consents }, { user_id = '', client_id = '' }) =>
    consents.withdraw(user_id, client_id),
  async 'client.disabled'({ clients }, { client_id = '' }) {
    await clients.disable(client_id)
    return true
  },
  async 'client.deleted'({ clients }, { client_id = '' }) {
    await clients.delete(client_id)
    return true
  },
}

function textOf({ repeated, without_effect, by_hand }: Done, applied: boolean): string {
  const counts = Object.entries(repeated).sort(([a], [b]) => a.localeCompare(b))
  const lines = counts.map(([event, count]) => `${String(count).padStart(7)}  ${event}`)
  const manual = Object.entries(by_hand).map(
    ([event, ids]) => `\n${byHand[event as JournalEvent]}\n  ${ids.join('\n  ')}`,
  )
  const head =
    counts.length === 0
      ? 'The database lacks nothing that the journal has.'
      : applied
        ? 'Repeated:'
        : 'To be repeated (confirm with --yes):'
  const rest = without_effect > 0 ? [`${String(without_effect).padStart(7)}  had no effect`] : []
  return [head, ...lines, ...rest, ...manual].join('\n')
}
