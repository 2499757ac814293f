import type { AuditLog } from '../audit/audit-log.ts'
import type { Outbox } from '../mail/outbox.ts'
import { Bulkhead } from '../passwords/bulkhead.ts'
import { Passwords } from '../passwords/passwords.ts'
import type { Revocations } from '../revocations/revocations.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { Statements } from '../stores/statements.ts'
import type { Metrics } from '../telemetry/metrics.ts'
import type { ApiKeys } from '../tokens/api-keys.ts'
import type { OneTimeTokens } from '../tokens/one-time-tokens.ts'
import { UserAdministration } from '../users/administration.ts'
import { Credentials } from '../users/credentials.ts'
import { DisownedSignIns } from '../users/disowned-sign-ins.ts'
import { EmailAddresses } from '../users/email-addresses.ts'
import { PersonalData } from '../users/personal-data.ts'
import { Registration } from '../users/registration.ts'
import { UserSessions } from '../users/user-sessions.ts'
import { partsOfNames, Users } from '../users/users.ts'
import type { Runtime } from './runtime.ts'
import { argon2CostOf, passwordPolicyOf } from './settings.ts'

interface Dependencies {
  readonly metrics: Metrics
  readonly statements: Statements
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly apiKeys: ApiKeys
  readonly outbox: Outbox
  readonly oneTimeTokens: OneTimeTokens
  readonly audit: AuditLog
}

/** The services of people: their passwords, addresses, registration, administration and data. */
export async function createPeople(runtime: Runtime, services: Dependencies) {
  const { config, db, hashing, now, log } = runtime
  const { metrics, statements, families, revocations, apiKeys, outbox, oneTimeTokens, audit } =
    services
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
  const disownedSignIns = new DisownedSignIns({
    db,
    families,
    revocations,
    apiKeys,
    oneTimeTokens,
    outbox,
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
  return {
    bulkhead,
    passwords,
    users,
    emailAddresses,
    credentials,
    disownedSignIns,
    registration,
    administration,
    personalData,
    userSessions,
  }
}
