/** A session: one sign-in of one person with one client, on one device. */
export interface Session {
  readonly sid: string
  readonly userId: string
  readonly clientId: string
  readonly scope: readonly string[]
  readonly audience: readonly string[]
  readonly authTime: Date
  readonly amr: readonly string[]
  /** null for sessions that began with a password at a client. */
  readonly acr: string | null
  readonly idleExpiresAt: Date
  readonly expiresAt: Date
}

/** The columns of a session that its tokens need. */
export interface SessionColumns {
  sid: string
  user_id: string
  client_id: string
  scope: string[]
  audience: string[]
  auth_time: Date
  amr: string[]
  acr: string | null
  idle_expires_at: Date
  expires_at: Date
}

/** A row of `refresh_families`. */
export interface SessionRow extends SessionColumns {
  seed_digest: Buffer
  /** The browser that it began from; null for sessions that began with a password. */
  browser_session_id: string | null
  /** It goes on when the browser signs out: offline access of a third-party client. */
  outlives_browser: boolean
  /** The `claims` parameter of its authorization request: OpenID Connect Core §5.5. */
  claims: object | null
  generation: number
  rotated_at: Date | null
  revoked_at: Date | null
  revoked_reason: string | null
  ip: string | null
  user_agent: string | null
}

/** A session as its person sees it in the list. */
export interface ListedSession extends Session {
  readonly ip: string | null
  readonly userAgent: string | null
  readonly lastUsedAt: Date
}

/** A family joined with its person and its client. */
export type FamilyRow = SessionRow & {
  roles: string[]
  user_disabled_at: Date | null
  client_disabled_at: Date | null
}

export const isLive = (row: SessionRow, now: Date): boolean =>
  row.revoked_at === null && row.expires_at > now && row.idle_expires_at > now

export const sessionOf = (row: SessionColumns): Session => ({
  sid: row.sid,
  userId: row.user_id,
  clientId: row.client_id,
  scope: row.scope,
  audience: row.audience,
  authTime: row.auth_time,
  amr: row.amr,
  acr: row.acr,
  idleExpiresAt: row.idle_expires_at,
  expiresAt: row.expires_at,
})

/** Why a session ended; stored in its row and in the audit trail. */
export type EndReason =
  | 'reuse'
  | 'token_revoked'
  | 'user_disabled'
  | 'password_set'
  | 'disowned'
  | 'client_disabled'
  | 'session_limit'
  | 'password_change_required'
  | 'ended_by_admin'
  | 'user_deleted'
  | 'signed_out'
  | 'revocation_recovered'
  | 'replaced'
  | 'code_reused'
  | 'consent_withdrawn'
  | 'expired'
