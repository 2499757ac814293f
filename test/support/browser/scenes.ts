import { join } from 'node:path'
import type { ExecutionContext } from 'ava'
import { openEmbeddedPostgres } from '../../../src/stores/embedded/embedded-postgres.ts'
import { freePort, stopPostmaster } from '../../../src/stores/embedded/postmaster.ts'
import { findPostmaster } from '../../../src/stores/embedded/postmaster-file.ts'
import { eventually } from '../../../tools/eventually.ts'
import { masterKeyText, testEnvironment, testRedisUrl } from '../../../tools/fixtures.ts'
import { databaseUrl, prepareTemplate, templateName } from '../../../tools/template.ts'
import { type Mailbox, startMailbox } from '../mail/mailbox.ts'
import { emptyFolder, serve } from '../server/signet.ts'
import { copyTemplate, startServer, type TestServer } from '../server/start-server.ts'
import { startFront } from './front.ts'
import { type RelyingParty, registerClient, startRelyingParty } from './relying-party.ts'

/** A server with an app and a mailbox, to which something can happen. */
export interface Scene {
  readonly server: TestServer
  /** The address that people see. */
  readonly issuer: string
  readonly app: RelyingParty
  readonly mailbox: Mailbox
  /** Lets it happen to the server, for disturbances of servers. */
  readonly disturb?: () => Promise<unknown>
}

/** Another person than the one of the journey. */
export const grace = { username: 'grace', password: 'another long passphrase' }

async function sceneOf(
  t: ExecutionContext,
  mailbox: Mailbox,
  server: TestServer,
  issuer = server.url,
) {
  const app = await startRelyingParty(t)
  await registerClient(server, app.callback, { postLogoutRedirectUris: [`${app.origin}/bye`] })
  await server.services.users.create(grace)
  return { server, issuer, app, mailbox }
}

/** The environment of servers that send their mails to a mailbox. */
const mailing = ({ url }: Mailbox) => ({ SMTP_URL: url, MAIL_FROM: 'Signet <signet@mail.example>' })

/** The app with an answer; or without one, where the person has answered the same request before. */
export const arriving = ({ app, issuer }: Scene, endsAtAccount = false) =>
  new RegExp(`^${app.origin}/(callback\\?|bye|$)${endsAtAccount ? `|^${issuer}/account$` : ''}`)

export async function withOneServer(t: ExecutionContext): Promise<Scene> {
  const mailbox = await startMailbox(t)
  return sceneOf(t, mailbox, await startServer(t, { environment: mailing(mailbox) }))
}

export async function withTwoInstances(t: ExecutionContext): Promise<Scene> {
  const mailbox = await startMailbox(t)
  const front = await startFront(t)
  const environment = { ISSUER: front.url, ...mailing(mailbox) }
  const first = await startServer(t, { environment })
  const second = await startServer(t, { beside: first, environment })
  front.sendTo(first.url)
  let isFirst = true
  const disturb = async () => {
    isFirst = !isFirst
    front.sendTo(isFirst ? first.url : second.url)
  }
  return { ...(await sceneOf(t, mailbox, first, front.url)), disturb }
}

export async function withProcess(t: ExecutionContext): Promise<Scene> {
  const mailbox = await startMailbox(t)
  const database = await copyTemplate(t)
  const port = await freePort()
  const issuer = `http://127.0.0.1:${port}`
  const environment = { ISSUER: issuer, ...mailing(mailbox) }
  const server = await startServer(t, { database, environment })
  const cwd = await emptyFolder(t)
  const env = {
    ...testEnvironment,
    DATABASE_URL: database,
    REDIS_URL: testRedisUrl(database) ?? 'none',
    REDIS_KEY_PREFIX: server.keyPrefix,
    MASTER_KEYS: masterKeyText,
    PORT: String(port),
    ...environment,
    LOG_LEVEL: 'info',
    LOG_FORMAT: 'json',
  }
  let running = await serve(t, { cwd, env })
  const disturb = async () => {
    running.signal('SIGKILL')
    await running.exited
    running = await serve(t, { cwd, env })
  }
  return { ...(await sceneOf(t, mailbox, server, issuer)), disturb }
}

export async function withOwnPostgres(t: ExecutionContext): Promise<Scene> {
  const mailbox = await startMailbox(t)
  const folder = await emptyFolder(t)
  const directory = join(folder, 'database')
  const settings = { fsync: 'off', autovacuum: 'off' }
  const postgres = await openEmbeddedPostgres({ directory, notify: () => undefined, settings })
  t.teardown(() => postgres.close())
  await prepareTemplate(postgres.url)
  const server = await startServer(t, {
    database: databaseUrl(postgres.url, templateName),
    environment: mailing(mailbox),
  })
  const cluster = join(directory, 'postgres')
  // The holder of the folder starts it again, on the same port.
  const disturb = async () => {
    const running = await findPostmaster(cluster)
    await stopPostmaster(cluster, running?.pid ?? 0, 20)
    const isBack = () =>
      server.db.raw('SELECT 1').then(
        () => true,
        () => false,
      )
    await eventually(isBack, 'PostgreSQL is back')
  }
  return { ...(await sceneOf(t, mailbox, server)), disturb }
}
