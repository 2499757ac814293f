import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { wasRefused } from '../stores/unavailable.ts'
import type { SessionColumns } from './session.ts'

/** One rotation: the family as its token describes it, and its new times. */
export interface RotationRequest {
  readonly sid: string
  readonly generation: number
  readonly digest: Buffer
  readonly clientId: string
  readonly now: Date
  /** When the session ends unless it is refreshed again. */
  readonly idleExpiresAt: Date
}

/** A family after its rotation, with the roles of its person. */
export type Advanced = SessionColumns & { generation: number; roles: string[] }

/** The same, after a rotation that waited. `lost`: how many generations the database had lost. */
type CaughtUp = Advanced & { lost: number }

const answer = `family.sid, family.user_id, family.client_id, family.scope, family.audience,
  family.auth_time, family.amr, family.acr, family.generation, family.idle_expires_at, family.expires_at`

/**
 * A statement that waited in PostgreSQL for longer than its caller waits must change nothing. `now()`
 * is when PostgreSQL received it; `statement_timestamp()` would start again after a wait for the table.
 */
const inTime = `clock_timestamp() < now() + $7::float8 * interval '1 second'`

/** The family is that of the token, and session, person and client are live at $5. */
const isLive = `seed_digest = $3 AND client_id = $4
      AND revoked_at IS NULL AND expires_at > $5 AND idle_expires_at > $5
      AND users.id = family.user_id AND users.disabled_at IS NULL
      AND clients.id = family.client_id AND clients.disabled_at IS NULL
      AND ${inTime}`

/** One conditional UPDATE: of many callers exactly one wins. It waits for a row that is locked. */
const rotateOne = statement(
  'rotate',
  `UPDATE refresh_families AS family
      SET generation = generation + 1, rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
     FROM users, clients
    WHERE sid = $1 AND generation = $2 AND ${isLive}
RETURNING ${answer}, users.roles`,
)

/**
 * The same for many families. Locked rows are skipped: waiting for one would delay all others, and two
 * statements that wait for each other's rows would deadlock. Lock and write both check the presented
 * generation against the current row: each alone lets one caller win.
 */
const rotateMany = statement(
  'rotate_many',
  `WITH step AS (
     SELECT step.*, users.roles
       FROM unnest($1::uuid[], $2::integer[], $3::bytea[], $4::text[], $5::timestamptz[], $6::timestamptz[])
              WITH ORDINALITY AS step (sid, generation, digest, client_id, now, idle_expires_at, at)
       JOIN refresh_families AS family
         ON family.sid = step.sid AND family.generation = step.generation
        AND family.seed_digest = step.digest AND family.client_id = step.client_id
        AND family.revoked_at IS NULL
        AND family.expires_at > step.now AND family.idle_expires_at > step.now
       JOIN users ON users.id = family.user_id AND users.disabled_at IS NULL
       JOIN clients ON clients.id = family.client_id AND clients.disabled_at IS NULL
        FOR NO KEY UPDATE OF family SKIP LOCKED)
   UPDATE refresh_families AS family
      SET generation = family.generation + 1, rotated_at = step.now,
          idle_expires_at = LEAST(step.idle_expires_at, family.expires_at)
     FROM step
    WHERE family.sid = step.sid AND family.generation = step.generation
      AND family.revoked_at IS NULL AND ${inTime}
RETURNING step.at, ${answer}, step.roles`,
)

/**
 * Waits for its row first and looks at it then. The HMAC of the token says that this server issued it,
 * so a row that is behind its token has lost generations with its database (a failover, a backup): the
 * row follows the token, and the audit trail says how many were lost.
 */
const rotateAlone = statement(
  'rotate_alone',
  `WITH behind AS (
     SELECT sid, generation FROM refresh_families WHERE sid = $1 AND generation <= $2
        FOR NO KEY UPDATE
   ), advanced AS (
     UPDATE refresh_families AS family
        SET generation = $2 + 1, rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
       FROM behind, users, clients
      WHERE family.sid = behind.sid AND ${isLive}
     RETURNING ${answer}, users.roles, $2 - behind.generation AS lost
   ), noted AS (
     INSERT INTO audit_events (at, event, user_id, client_id, sid, ip, detail)
     SELECT $5, 'session.ahead', user_id, client_id, sid, $8,
            jsonb_build_object('generation', $2, 'current', $2 - lost, 'lost', lost)
       FROM advanced WHERE lost > 0
   )
   SELECT * FROM advanced`,
)

/** Repeats a rotation whose caller was never answered: the same generation, at a new time. */
const rotateAgain = statement(
  'rotate_again',
  `UPDATE refresh_families AS family
      SET rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
     FROM users, clients
    WHERE sid = $1 AND generation = $2 + 1 AND rotated_at = $8 AND ${isLive}
RETURNING ${answer}, users.roles`,
)

/** Rotates families: a request that comes alone at once, those that arrive meanwhile in one statement. */
export class RotationBatch {
  readonly #statements: Statements
  readonly #timeoutSeconds: number
  readonly #batches: BatchQueue<RotationRequest, Advanced | undefined>

  /** @param timeoutSeconds how long callers wait for a statement */
  constructor(statements: Statements, timeoutSeconds: number) {
    this.#statements = statements
    this.#timeoutSeconds = timeoutSeconds
    this.#batches = new BatchQueue({
      run: (requests) => this.#rotate(requests),
      isAtomicFailure: wasRefused,
    })
  }

  /** @returns undefined if the family is not as described, or is locked */
  rotate(request: RotationRequest): Promise<Advanced | undefined> {
    return this.#batches.add(request)
  }

  /** @returns undefined if the family is not as described or has gone on; waits while it is locked */
  async rotateAlone(request: RotationRequest, ip?: string): Promise<CaughtUp | undefined> {
    const values = [...this.#valuesOf(request), ip]
    const [row] = await this.#statements.run<CaughtUp>(rotateAlone, values)
    return row
  }

  /**
   * Repeats a rotation that was made at `rotatedAt` and never answered.
   * @returns undefined if it was repeated already, or the family is not as described any more
   */
  async rotateAgain(
    request: RotationRequest,
    rotatedAt: Date | null,
  ): Promise<Advanced | undefined> {
    const values = [...this.#valuesOf(request), rotatedAt]
    const [row] = await this.#statements.run<Advanced>(rotateAgain, values)
    return row
  }

  #valuesOf({ sid, generation, digest, clientId, now, idleExpiresAt }: RotationRequest): unknown[] {
    return [sid, generation, digest, clientId, now, idleExpiresAt, this.#timeoutSeconds]
  }

  async #rotate(requests: readonly RotationRequest[]): Promise<(Advanced | undefined)[]> {
    const [only] = requests
    if (only && requests.length === 1) {
      return this.#statements.run<Advanced>(rotateOne, this.#valuesOf(only))
    }
    const rows = await this.#statements.run<Advanced & { at: string }>(rotateMany, [
      requests.map(({ sid }) => sid),
      requests.map(({ generation }) => generation),
      requests.map(({ digest }) => digest),
      requests.map(({ clientId }) => clientId),
      requests.map(({ now }) => now),
      requests.map(({ idleExpiresAt }) => idleExpiresAt),
      this.#timeoutSeconds,
    ])
    const outcomes = new Array<Advanced | undefined>(requests.length)
    for (const row of rows) outcomes[Number(row.at) - 1] = row
    return outcomes
  }
}
