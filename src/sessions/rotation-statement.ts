import pg from 'pg'
import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statement, type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import type { SessionColumns } from './session.ts'

/** A step that a family is asked to take. */
export interface RotationRequest {
  readonly sid: string
  readonly generation: number
  readonly digest: Buffer
  readonly clientId: string
  readonly now: Date
  /** The end of the session unless it is refreshed until then. */
  readonly idleExpiresAt: Date
}

/** A family after its step, with the roles of its person. */
export type Advanced = SessionColumns & { generation: number; roles: string[] }

/** The same, after a step that waited. `lost`: how many generations the database had forgotten. */
export type CaughtUp = Advanced & { lost: number }

const answer = `family.sid, family.user_id, family.client_id, family.scope, family.audience,
  family.auth_time, family.amr, family.generation, family.idle_expires_at, family.expires_at`

/**
 * A statement that waited in PostgreSQL for longer than its caller waits changes nothing any more.
 * `now()` is when PostgreSQL received it: `statement_timestamp()` would begin anew after a wait for a table.
 */
const inTime = (seconds: string) => `clock_timestamp() < now() + ${seconds} * interval '1 second'`

/** One conditional UPDATE: of many callers exactly one wins. It waits for a row that is locked. */
const oneStep = statement(
  'rotate',
  `UPDATE refresh_families AS family
      SET generation = generation + 1, rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
     FROM users, clients
    WHERE sid = $1 AND generation = $2 AND seed_digest = $3 AND client_id = $4
      AND revoked_at IS NULL AND expires_at > $5 AND idle_expires_at > $5
      AND users.id = family.user_id AND users.disabled_at IS NULL
      AND clients.id = family.client_id AND clients.disabled_at IS NULL
      AND ${inTime('$7::float8')}
RETURNING ${answer}, users.roles`,
)

/**
 * The same for many families. Rows that somebody else has locked are passed over: waiting for one
 * would hold up all others, and two who wait for each other's rows would be a deadlock. Lock and write
 * both ask for the generation that was presented, of the row as it is by then: each alone lets one win.
 */
const manySteps = statement(
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
      AND family.revoked_at IS NULL AND ${inTime('$7::float8')}
RETURNING step.at, ${answer}, step.roles`,
)

/**
 * A step that waits for its row first and looks at it then. The HMAC of the token says that this server
 * issued it, so a row that is behind its token has lost generations with its database (a failover, a
 * backup): the row follows the token, and the audit trail says how many were lost.
 */
const stepAlone = statement(
  'rotate_alone',
  `WITH behind AS (
     SELECT sid, generation FROM refresh_families WHERE sid = $1 AND generation <= $2
        FOR NO KEY UPDATE
   ), advanced AS (
     UPDATE refresh_families AS family
        SET generation = $2 + 1, rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
       FROM behind, users, clients
      WHERE family.sid = behind.sid AND seed_digest = $3 AND client_id = $4
        AND revoked_at IS NULL AND expires_at > $5 AND idle_expires_at > $5
        AND users.id = family.user_id AND users.disabled_at IS NULL
        AND clients.id = family.client_id AND clients.disabled_at IS NULL
        AND ${inTime('$7::float8')}
     RETURNING ${answer}, users.roles, $2 - behind.generation AS lost
   ), noted AS (
     INSERT INTO audit_events (at, event, user_id, client_id, sid, ip, detail)
     SELECT $5, 'session.ahead', user_id, client_id, sid, $8,
            jsonb_build_object('generation', $2, 'current', $2 - lost, 'lost', lost)
       FROM advanced WHERE lost > 0
   )
   SELECT * FROM advanced`,
)

/** A step that was taken for nobody is taken again: the same generation, at a new time. */
const sameStep = statement(
  'rotate_again',
  `UPDATE refresh_families AS family
      SET rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
     FROM users, clients
    WHERE sid = $1 AND generation = $2 + 1 AND seed_digest = $3 AND client_id = $4 AND rotated_at = $8
      AND revoked_at IS NULL AND expires_at > $5 AND idle_expires_at > $5
      AND users.id = family.user_id AND users.disabled_at IS NULL
      AND clients.id = family.client_id AND clients.disabled_at IS NULL
      AND ${inTime('$7::float8')}
RETURNING ${answer}, users.roles`,
)

export const rotationStatements: readonly Statement[] = [oneStep, manySteps, stepAlone, sameStep]

const maxBatch = 100
const maxLingerMilliseconds = 50

/** Takes steps: one alone at once, and those who come meanwhile together in the next statement. */
export class RotationBatch {
  readonly #statements: Statements
  readonly #timeoutSeconds: number
  readonly #batches: BatchQueue<RotationRequest, Advanced | undefined>

  /** @param timeoutSeconds for how long callers wait for a statement */
  constructor(statements: Statements, timeoutSeconds: number) {
    this.#statements = statements
    this.#timeoutSeconds = timeoutSeconds
    this.#batches = new BatchQueue({
      run: (steps) => this.#many(steps),
      isAtomicFailure: (error) => error instanceof pg.DatabaseError && !isUnavailable(error),
      maxBatch,
      maxLingerMilliseconds,
    })
  }

  /** @returns undefined when the family is not as described, or is locked */
  take(step: RotationRequest): Promise<Advanced | undefined> {
    return this.#batches.do(step)
  }

  /** @returns undefined when the family is not as described or has gone on; waits while it is locked */
  async rotateAlone(step: RotationRequest, ip?: string): Promise<CaughtUp | undefined> {
    const values = [...this.#valuesOf(step), ip]
    const [row] = await this.#statements.run<CaughtUp>(stepAlone, values)
    return row
  }

  /**
   * Takes a step again that was taken at this time, for somebody who was not told.
   * @returns undefined when somebody else has done so, or the family is not as described any more
   */
  async redo(step: RotationRequest, takenAt: Date | null): Promise<Advanced | undefined> {
    const values = [...this.#valuesOf(step), takenAt]
    const [row] = await this.#statements.run<Advanced>(sameStep, values)
    return row
  }

  #valuesOf({ sid, generation, digest, clientId, now, idleExpiresAt }: RotationRequest): unknown[] {
    return [sid, generation, digest, clientId, now, idleExpiresAt, this.#timeoutSeconds]
  }

  async #many(steps: readonly RotationRequest[]): Promise<(Advanced | undefined)[]> {
    const [only] = steps
    if (only && steps.length === 1) {
      return this.#statements.run<Advanced>(oneStep, this.#valuesOf(only))
    }
    const rows = await this.#statements.run<Advanced & { at: string }>(manySteps, [
      steps.map(({ sid }) => sid),
      steps.map(({ generation }) => generation),
      steps.map(({ digest }) => digest),
      steps.map(({ clientId }) => clientId),
      steps.map(({ now }) => now),
      steps.map(({ idleExpiresAt }) => idleExpiresAt),
      this.#timeoutSeconds,
    ])
    const outcomes = new Array<Advanced | undefined>(steps.length)
    for (const row of rows) outcomes[Number(row.at) - 1] = row
    return outcomes
  }
}
