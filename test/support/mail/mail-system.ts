import { createHash } from 'node:crypto'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ExecutionContext } from 'ava'
import type { Knex } from 'knex'
import { v7 as uuidv7 } from 'uuid'
import { MailQueue } from '../../../src/mail/mail-queue.ts'
import { createMailSender } from '../../../src/mail/mail-sender.ts'
import { type Mail, Outbox } from '../../../src/mail/outbox.ts'
import { openTransport, type TransportOptions } from '../../../src/mail/transport.ts'
import { openPostgres } from '../../../src/stores/postgres.ts'
import { openLog } from '../../../src/telemetry/log.ts'
import { Metrics } from '../../../src/telemetry/metrics.ts'
import { prepareLink } from '../../../src/tokens/mail-links.ts'
import { OneTimeTokens } from '../../../src/tokens/one-time-tokens.ts'
import { Clock, copyTemplate } from '../server/start-server.ts'

export const appUrl = 'https://app.example'
/** Has the pages that no app has. */
export const ownUrl = 'https://issuer.example'
export const linkKey = createHash('sha256').update('the link key of the tests').digest()

/** A sender as one instance has it. */
export function openSender(
  db: Knex,
  clock: Clock,
  options: Partial<TransportOptions>,
  logTo?: (line: string) => void,
) {
  const now = clock.now
  const log = openLog({ level: logTo ? 'info' : 'silent', format: 'json', to: logTo })
  const transport = openTransport({
    ...{ smtpUrl: undefined, directory: '', from: 'Signet <signet@mail.example>' },
    ...{ issuer: 'https://issuer.example', log, ...options },
  })
  const queue = new MailQueue(db, now)
  const oneTimeTokens = new OneTimeTokens(now, linkKey)
  const metrics = new Metrics()
  const sender = createMailSender({
    queue,
    transport,
    prepare: (trx, mail) => prepareLink(trx, mail, { oneTimeTokens, linkKey }),
    appUrl,
    ownUrl,
    now,
    log,
    metrics,
  })
  return Object.assign(sender, { queue, metrics })
}

/** A mail queue and sender on a database of their own. */
export async function openMailSystem(
  t: ExecutionContext<unknown>,
  options: Partial<TransportOptions>,
) {
  const databaseUrl = await copyTemplate(t)
  const { db, close } = openPostgres({ url: databaseUrl, poolSize: 24, timeoutSeconds: 20 })
  const clock = new Clock()
  const logged: string[] = []
  const sender = openSender(db, clock, options, (line) => logged.push(line))
  const outbox = new Outbox(clock.now)
  outbox.whenCommitted(() => sender.wake())
  t.teardown(async () => {
    await sender.stop(0)
    await close()
  })
  return {
    ...{
      databaseUrl,
      db,
      clock,
      logged,
      sender,
      outbox,
      oneTimeTokens: new OneTimeTokens(clock.now, linkKey),
    },
    put: (mail: Mail) => db.transaction((trx) => outbox.put(trx, mail)),
    rows: () => db('outgoing_mail').orderBy('created_at').orderBy('id'),
    person: (columns: object = {}) => insertPerson(db, clock.now(), columns),
  }
}

async function insertPerson(db: Knex, at: Date, columns: object) {
  const id = uuidv7()
  const row = {
    ...{ id, username: `u-${id}`, email: `${id}@people.example`, password_hash: 'none', roles: [] },
    ...{ password_changed_at: at, created_at: at, ...columns },
  }
  await db('users').insert(row)
  return { userId: id, to: row.email }
}

/** Polls what another process or connection brings about. */
export async function until(holds: () => Promise<boolean> | boolean): Promise<void> {
  for (let tries = 0; tries < 1500; tries += 1) {
    if (await holds()) return
    await sleep(20)
  }
  throw new Error('it did not come about')
}
