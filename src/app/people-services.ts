import { join } from 'node:path'
import { ApiClients } from '../api/account/api-clients.ts'
import { SignIn } from '../authentication/sign-in.ts'
import { ClientAssertions } from '../clients/client-assertions.ts'
import { ClientCache } from '../clients/client-cache.ts'
import { Clients } from '../clients/clients.ts'
import { sealedSecret } from '../keyring/sealed-secret.ts'
import { MailQueue } from '../mail/mail-queue.ts'
import { MailSender } from '../mail/mail-sender.ts'
import { openTransport } from '../mail/transport.ts'
import { BreachedPasswords } from '../passwords/breached-passwords.ts'
import { Bulkhead } from '../passwords/bulkhead.ts'
import { contextWords } from '../passwords/password-strength.ts'
import { Passwords } from '../passwords/passwords.ts'
import { Throttle } from '../throttle/throttle.ts'
import { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import { UserAdministration } from '../users/administration.ts'
import { Credentials } from '../users/credentials.ts'
import { EmailAddresses } from '../users/email-addresses.ts'
import { PersonalData } from '../users/personal-data.ts'
import { Registration } from '../users/registration.ts'
import { partsOfNames } from '../users/text-search.ts'
import { UserSessions } from '../users/user-sessions.ts'
import { Users } from '../users/users.ts'
import type { Runtime } from './runtime.ts'
import type { TokenServices } from './token-services.ts'

/** Clients and people, their passwords and their mail. */
export async function createPeopleServices(runtime: Runtime, tokens: TokenServices) {
  const { config, db, pool, redis, masterKeys, now, log } = runtime
  const { statements, audit, revocations, families, accessTokens, lifetimes, rememberSeconds } =
    tokens
  const { issuer } = config
  const { accessTokenMaxSeconds } = lifetimes

  const clients = new Clients({
    known: new ClientCache({ statements, now }),
    ...{ db, revocations, audit, now, accessTokenMaxSeconds, rememberSeconds },
  })
  const audiences = [issuer, `${issuer}/oauth/token`]
  const assertions = new ClientAssertions({ db, now, audiences })
  const onAway = (away: boolean, reason: string) =>
    log[away ? 'warn' : 'info'](
      { reason },
      away ? 'postgres counts attempts instead of redis' : 'redis counts attempts',
    )
  const secret = await sealedSecret(db, masterKeys, 'throttle', now())
  const { limits, delays } = runtime
  const throttle = new Throttle({
    ...{ pool, redis, secret, now, onAway },
    waitSeconds: config.PASSWORD_QUEUE_SECONDS,
    ...(limits && { limits }),
    ...(delays && { delays }),
  })

  const { passwords, bulkhead } = createPasswords(runtime, tokens)
  const { outbox, oneTimeTokens, mailQueue, mailSender } = await createMailServices(runtime, tokens)
  const search = { partsOfNames: await partsOfNames(db) }
  const users = new Users({ db, statements, passwords, audit, now, ...search })
  const people = { db, users, passwords, families, revocations, outbox, oneTimeTokens, audit, now }
  const emailAddresses = new EmailAddresses(people)
  return {
    ...{ clients, assertions, throttle, bulkhead, passwords, users },
    ...{ outbox, oneTimeTokens, mailQueue, mailSender },
    credentials: new Credentials(people),
    registration: new Registration({ ...people, unverifiedDays: config.UNVERIFIED_DAYS }),
    emailAddresses,
    administration: new UserAdministration(people),
    personalData: new PersonalData(people),
    userSessions: new UserSessions(people),
    signIn: new SignIn({ users, families, accessTokens, throttle, emailAddresses, lifetimes }),
    apiClients: new ApiClients({ clients, issuer }),
  }
}

function createPasswords({ config, log, hashing }: Runtime, { metrics }: TokenServices) {
  const bulkhead = new Bulkhead({
    concurrency: config.PASSWORD_CONCURRENCY + (hashing?.ahead ?? 0),
    queueSeconds: config.PASSWORD_QUEUE_SECONDS,
  })
  const cost = { memoryKib: config.ARGON2_MEMORY_KIB, timeCost: config.ARGON2_TIME_COST }
  const url = config.BREACHED_PASSWORDS_URL
  const policy = {
    words: contextWords(config.issuer),
    breached: url === undefined ? undefined : new BreachedPasswords({ url, log, metrics }),
  }
  const passwords = new Passwords(bulkhead, cost, policy, hashing)
  return { bulkhead, passwords }
}

async function createMailServices(runtime: Runtime, { metrics, outbox }: TokenServices) {
  const { config, db, masterKeys, now, log } = runtime
  const oneTimeTokens = new OneTimeTokens(now)
  const mailQueue = new MailQueue(db, now)
  const transport = openTransport({
    smtpUrl: config.smtpUrl,
    from: config.MAIL_FROM,
    issuer: config.issuer,
    directory: join(config.DATA_DIR, 'outbox'),
    log,
  })
  const linkKey = await sealedSecret(db, masterKeys, 'mail links', now())
  const { appUrl } = config
  const tokenIn = config.APP_URL === undefined ? 'query' : 'fragment'
  const mailSender = new MailSender({
    ...{ queue: mailQueue, transport, oneTimeTokens, linkKey, appUrl, tokenIn, now, log, metrics },
  })
  outbox.whenCommitted(() => mailSender.wake())
  return { outbox, oneTimeTokens, mailQueue, mailSender }
}
