import { join } from 'node:path'
import type { Pool } from 'pg'
import type { Lifetimes } from '../clients/lifetimes.ts'
import type { Config } from '../config/config.ts'
import type { Timing } from '../keyring/timing.ts'
import { type OpenedTransport, openTransport } from '../mail/transport.ts'
import { BreachedPasswords } from '../passwords/breached-passwords.ts'
import { contextWords } from '../passwords/password-strength.ts'
import { Statements } from '../stores/statements.ts'
import type { Log } from '../telemetry/log.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** Translates the configuration, which speaks the operator's units, into options of services. */

export const daySeconds = 86_400

export const lifetimesOf = (config: Config): Lifetimes => ({
  accessTokenSeconds: config.ACCESS_TOKEN_SECONDS,
  accessTokenMaxSeconds: config.ACCESS_TOKEN_MAX_SECONDS,
  sessionIdleSeconds: config.SESSION_IDLE_DAYS * daySeconds,
  sessionAbsoluteSeconds: config.SESSION_ABSOLUTE_DAYS * daySeconds,
})

export const keyTimingOf = (config: Config): Timing => ({
  rotationSeconds: config.KEY_ROTATION_DAYS * daySeconds,
  accessTokenMaxSeconds: config.ACCESS_TOKEN_MAX_SECONDS,
  rereadSeconds: config.KEYRING_REREAD_SECONDS,
})

export const argon2CostOf = (config: Config) => ({
  memoryKib: config.ARGON2_MEMORY_KIB,
  timeCost: config.ARGON2_TIME_COST,
})

export function passwordPolicyOf(config: Config, log: Log, metrics: Metrics) {
  const url = config.BREACHED_PASSWORDS_URL
  return {
    words: contextWords(config.issuer),
    breached: url === undefined ? undefined : new BreachedPasswords({ url, log, metrics }),
  }
}

export const mailTransportOf = (config: Config, log: Log): OpenedTransport =>
  openTransport({
    smtpUrl: config.smtpUrl,
    from: config.MAIL_FROM,
    issuer: config.issuer,
    directory: join(config.DATA_DIR, 'outbox'),
    log,
  })

export const statementsOf = (config: Config, pool: Pool, log: Log): Statements =>
  new Statements({
    pool,
    prepared: config.DATABASE_PREPARED_STATEMENTS,
    onUnknown: (error) =>
      log.warn(
        { err: error },
        'a prepared statement is unknown to PostgreSQL, so statements are no longer prepared; behind a pooler set DATABASE_PREPARED_STATEMENTS=false',
      ),
  })
