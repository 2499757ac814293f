import { ApiClients } from '../api/account/api-clients.ts'
import { AuditLog } from '../audit/audit-log.ts'
import { PasswordFactor } from '../authentication/password.ts'
import { ClientAssertions } from '../clients/client-assertions.ts'
import { ClientCache } from '../clients/client-cache.ts'
import { Clients } from '../clients/clients.ts'
import { later } from '../clock.ts'
import { SessionTokens } from '../grants/session-tokens.ts'
import { SignIn } from '../grants/sign-in.ts'
import { Janitor } from '../janitor/janitor.ts'
import { generateKey } from '../keyring/key-material.ts'
import { LiveKeyring } from '../keyring/live-keyring.ts'
import { Rotation } from '../keyring/rotation.ts'
import { sealedSecret } from '../keyring/sealing.ts'
import { SigningKeys } from '../keyring/signing-keys.ts'
import { skewSeconds } from '../keyring/timing.ts'
import { MailQueue } from '../mail/mail-queue.ts'
import { MailSender } from '../mail/mail-sender.ts'
import { Outbox } from '../mail/outbox.ts'
import { Bulkhead } from '../passwords/bulkhead.ts'
import { Passwords } from '../passwords/passwords.ts'
import { RevocationFeed } from '../revocations/revocation-feed.ts'
import { RevocationLog } from '../revocations/revocation-log.ts'
import { RevocationLookup, Revocations } from '../revocations/revocations.ts'
import { RevokedIndex } from '../revocations/revoked-index.ts'
import { RefreshFamilies } from '../sessions/refresh-families.ts'
import { RefreshRotation } from '../sessions/refresh-rotation.ts'
import { RefreshTokenCodec } from '../sessions/refresh-token.ts'
import { RotationBatch } from '../sessions/rotation-batch.ts'
import { UnansweredRotations } from '../sessions/unanswered-rotations.ts'
import { Metrics } from '../telemetry/metrics.ts'
import { AccessTokens } from '../tokens/access-tokens.ts'
import { ApiKeys } from '../tokens/api-keys.ts'
import { prepareLink } from '../tokens/mail-links.ts'
import { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import { TokenLives } from '../tokens/token-lives.ts'
import { UserAdministration } from '../users/administration.ts'
import { Credentials } from '../users/credentials.ts'
import { EmailAddresses } from '../users/email-addresses.ts'
import { PersonalData } from '../users/personal-data.ts'
import { Registration } from '../users/registration.ts'
import { UserSessions } from '../users/user-sessions.ts'
import { partsOfNames, Users } from '../users/users.ts'
import { cleanupTasks } from './cleanup-tasks.ts'
import { recoverRevocations } from './recover-revocations.ts'
import type { Runtime } from './runtime.ts'
import {
  argon2CostOf,
  keyTimingOf,
  lifetimesOf,
  mailTransportOf,
  passwordPolicyOf,
  statementsOf,
} from './settings.ts'
import { createThrottling } from './throttling.ts'

export type { Runtime } from './runtime.ts'

export type Services = Awaited<ReturnType<typeof createServices>>

/**
 * Builds every service once, from the bottom up: keys, revocations, sessions and tokens, clients,
 * mail, people, sign-in, cleanup. `routes.ts` mounts routes on them; `cli/` runs commands with them.
 */
export async function createServices(runtime: Runtime) {
  const { config, db, pool, redis, masterKeys, hashing, now, log } = runtime
  const { issuer } = config
  const lifetimes = lifetimesOf(config)
  const accessTokenMaxSeconds = config.ACCESS_TOKEN_MAX_SECONDS
  const rememberSeconds = accessTokenMaxSeconds + skewSeconds

  const metrics = new Metrics()
  const statements = statementsOf(config, pool, log)
  const audit = new AuditLog(db, now)

  const signingKeys = new SigningKeys(db, masterKeys)
  const keyring = new LiveKeyring(signingKeys, now)
  const revocationLog = new RevocationLog(db, now)
  const feed = new RevocationFeed({
    log: revocationLog,
    keyring,
    issuer,
    now,
    onSigned: () => metrics.feedDocuments.inc(),
  })
  const index =
    redis &&
    new RevokedIndex({
      redis,
      log: revocationLog,
      now,
      onTrust: (trusted, reason) =>
        trusted
          ? log.info({ reason }, 'redis answers')
          : log.warn({ reason }, 'postgres answers instead of redis'),
      recover: (lost) =>
        recoverRevocations({ db, log, revocationLog, families, apiKeys, rotation, audit }, lost),
    })
  const revocations = new Revocations({
    db,
    log: revocationLog,
    lookup: new RevocationLookup(statements, now),
    index,
    onDecided: () => feed.pollSoon(),
  })
  const timing = keyTimingOf(config)
  const rotation = new Rotation({
    signingKeys,
    now,
    timing,
    generate: () => generateKey(config.KEY_BITS),
    async announce() {
      await keyring.reread()
      feed.pollSoon()
      await revocations.follow()
    },
    async record(trx, { event, kid, detail }) {
      await audit.record({ event, detail: { kid, ...detail } }, trx)
      if (event !== 'key.revoked') return
      const expiresAt = later(now(), rememberSeconds)
      await revocationLog.append(trx, [{ kind: 'kid', value: kid, expiresAt }])
    },
  })

  const codec = new RefreshTokenCodec(await sealedSecret(db, masterKeys, 'refresh tokens', now()))
  const families = new RefreshFamilies({
    db,
    statements,
    codec,
    revocations,
    audit,
    now,
    sessionsPerUser: config.SESSIONS_PER_USER,
    rememberSeconds,
  })
  const unanswered = new UnansweredRotations({
    db,
    statements,
    now,
    onFailure: (error) =>
      log.error({ err: error }, 'unanswered rotations could not be recorded or looked up'),
  })
  const refreshRotation = new RefreshRotation({
    codec,
    families,
    revocations,
    audit,
    unanswered,
    batch: new RotationBatch(statements, config.DATABASE_TIMEOUT_SECONDS),
    now,
    graceSeconds: config.REFRESH_GRACE_SECONDS,
  })

  const outbox = new Outbox(now)
  const accessTokens = new AccessTokens({ keyring, revocations, issuer, now })
  const tokenLives = new TokenLives({ db, now, rememberSeconds })
  const oneTimeTokens = new OneTimeTokens(now)
  const apiKeys = new ApiKeys({
    db,
    revocations,
    revocationLog,
    audit,
    outbox,
    now,
    rememberSeconds,
    keysPerUser: config.API_KEYS_PER_USER,
  })

  const clients = new Clients({
    db,
    cache: new ClientCache({ statements, now }),
    revocations,
    apiKeys,
    audit,
    now,
    accessTokenMaxSeconds,
    rememberSeconds,
  })
  const apiClients = new ApiClients({ clients, issuer })
  const assertions = new ClientAssertions({ db, now, audiences: [issuer, `${issuer}/oauth/token`] })

  const mailQueue = new MailQueue(db, now)
  const linkKey = await sealedSecret(db, masterKeys, 'mail links', now())
  const mailSender = new MailSender({
    queue: mailQueue,
    transport: mailTransportOf(config, log),
    prepare: (trx, mail) => prepareLink(trx, mail, { oneTimeTokens, linkKey }),
    appUrl: config.appUrl,
    tokenIn: config.APP_URL === undefined ? 'query' : 'fragment',
    now,
    log,
    metrics,
  })
  outbox.whenCommitted(() => mailSender.wake())

  const bulkhead = new Bulkhead({
    concurrency: config.PASSWORD_CONCURRENCY + (hashing?.ahead ?? 0),
    queueSeconds: config.PASSWORD_QUEUE_SECONDS,
  })
  const policy = passwordPolicyOf(config, log, metrics)
  const passwords = new Passwords(bulkhead, argon2CostOf(config), policy, hashing)
  const users = new Users({
    db,
    statements,
    passwords,
    audit,
    now,
    partsOfNames: await partsOfNames(db),
  })
  const emailAddresses = new EmailAddresses({ db, users, outbox, oneTimeTokens, audit, now })
  const credentials = new Credentials({
    db,
    users,
    passwords,
    families,
    revocations,
    apiKeys,
    outbox,
    oneTimeTokens,
    audit,
    now,
  })
  const registration = new Registration({
    db,
    users,
    passwords,
    outbox,
    audit,
    now,
    unverifiedDays: config.UNVERIFIED_DAYS,
  })
  const administration = new UserAdministration({
    families,
    revocations,
    apiKeys,
    outbox,
    audit,
    now,
  })
  const personalData = new PersonalData({ db, audit, outbox })
  const userSessions = new UserSessions({ families, revocations, audit })

  const { throttle, guesses } = await createThrottling(runtime)
  const passwordFactor = new PasswordFactor({ users, guesses, emailAddresses, now })
  const sessionTokens = new SessionTokens({
    families,
    refreshRotation,
    accessTokens,
    keyring,
    metrics,
    lifetimes,
  })
  const signIn = new SignIn({ guesses, passwords, passwordFactor, sessionTokens })

  const services = {
    metrics,
    statements,
    audit,
    lifetimes,
    rememberSeconds,
    signingKeys,
    keyring,
    timing,
    rotation,
    revocationLog,
    revocations,
    index,
    feed,
    codec,
    families,
    unanswered,
    refreshRotation,
    accessTokens,
    tokenLives,
    oneTimeTokens,
    apiKeys,
    clients,
    apiClients,
    assertions,
    outbox,
    mailQueue,
    mailSender,
    bulkhead,
    passwords,
    users,
    emailAddresses,
    credentials,
    registration,
    administration,
    personalData,
    userSessions,
    throttle,
    guesses,
    sessionTokens,
    signIn,
  }
  const janitor = new Janitor({ db, now, tasks: cleanupTasks(runtime, services) })
  return { ...services, janitor }
}
