import { accountClientId } from '../api/account/api-clients.ts'
import type { AuditLog } from '../audit/audit-log.ts'
import type { GuessLimiter } from '../authentication/guess-limiter.ts'
import { SealedValues } from '../authentication/sealed-values.ts'
import { Apps } from '../clients/apps.ts'
import type { Clients } from '../clients/clients.ts'
import type { Lifetimes } from '../clients/lifetimes.ts'
import { Consents } from '../consents/consents.ts'
import { BrowserFlow } from '../grants/browser-flow.ts'
import { BrowserSignIn } from '../grants/browser-sign-in.ts'
import type { SignIn } from '../grants/sign-in.ts'
import { SignOut } from '../grants/sign-out.ts'
import { sealedSecret } from '../keyring/sealing.ts'
import type { Outbox } from '../mail/outbox.ts'
import type { Revocations } from '../revocations/revocations.ts'
import { AuthorizationCodes } from '../sessions/authorization-codes.ts'
import { AuthorizationCodeCodec, BrowserSessionCodec } from '../sessions/browser-session.ts'
import { BrowserSessions } from '../sessions/browser-sessions.ts'
import type { RefreshFamilies } from '../sessions/refresh-families.ts'
import type { RefreshTokenCodec } from '../sessions/refresh-token.ts'
import type { Statements } from '../stores/statements.ts'
import type { IdTokens } from '../tokens/id-tokens.ts'
import type { Credentials } from '../users/credentials.ts'
import type { Users } from '../users/users.ts'
import type { Runtime } from './runtime.ts'

interface Dependencies {
  readonly clients: Clients
  readonly users: Users
  readonly credentials: Credentials
  readonly families: RefreshFamilies
  readonly revocations: Revocations
  readonly codec: RefreshTokenCodec
  readonly statements: Statements
  readonly outbox: Outbox
  readonly audit: AuditLog
  readonly idTokens: IdTokens
  readonly signIn: SignIn
  readonly guesses: GuessLimiter
  readonly lifetimes: Lifetimes
}

/** The services of sign-in through the browser: browser sessions, codes, consents, the flow, signing out. */
export async function createBrowserSignIn(runtime: Runtime, services: Dependencies) {
  const { db, masterKeys, now, config } = runtime
  const { clients, users, credentials, families, revocations, statements, audit } = services
  const { outbox, idTokens, signIn, guesses, lifetimes, codec: refreshCodec } = services
  const secret = await sealedSecret(db, masterKeys, 'browser sign-in', now())
  const browsers = new BrowserSessions({
    db,
    statements,
    codec: new BrowserSessionCodec(secret),
    families,
    revocations,
    outbox,
    audit,
    now,
    idleSeconds: lifetimes.sessionIdleSeconds,
    absoluteSeconds: lifetimes.sessionAbsoluteSeconds,
  })
  const codes = new AuthorizationCodes({
    statements,
    codec: new AuthorizationCodeCodec(secret),
    refreshCodec,
    families,
    revocations,
    audit,
    now,
  })
  const consents = new Consents({ db, codes, families, revocations, audit, now })
  const sealed = new SealedValues(secret, now)
  const flow = new BrowserFlow({
    clients,
    users,
    consents,
    browsers,
    codes,
    idTokens,
    sealed,
    issuer: config.issuer,
    now,
  })
  const browserSignIn = new BrowserSignIn({
    clients,
    users,
    credentials,
    browsers,
    signIn,
    guesses,
    sealed,
    ownClientId: accountClientId,
    now,
  })
  const signOut = new SignOut({ browsers, families, revocations, audit, idTokens, clients })
  return { apps: new Apps(db), browsers, codes, consents, sealed, flow, browserSignIn, signOut }
}
