import pg from 'pg'
import { Gathered } from '../stores/gathered.ts'
import { type Statement, type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import type { SessionColumns } from './session.ts'

/** A step that a family is asked to take. */
export interface Step {
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

const answer = `family.sid, family.user_id, family.client_id, family.scope, family.audience,
  family.auth_time, family.amr, family.generation, family.idle_expires_at, family.expires_at`

/** One conditional UPDATE: of many callers exactly one wins. It waits for a row that is locked. */
const oneStep = statement(
  'rotate',
  `UPDATE refresh_families AS family
      SET generation = generation + 1, rotated_at = $5, idle_expires_at = LEAST($6, expires_at)
     FROM users
    WHERE sid = $1 AND generation = $2 AND seed_digest = $3 AND client_id = $4
      AND revoked_at IS NULL AND expires_at > $5 AND idle_expires_at > $5
      AND users.id = family.user_id AND users.disabled_at IS NULL
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
        FOR NO KEY UPDATE OF family SKIP LOCKED)
   UPDATE refresh_families AS family
      SET generation = family.generation + 1, rotated_at = step.now,
          idle_expires_at = LEAST(step.idle_expires_at, family.expires_at)
     FROM step
    WHERE family.sid = step.sid AND family.generation = step.generation
      AND family.revoked_at IS NULL
RETURNING step.at, ${answer}, step.roles`,
)

export const rotationStatements: readonly Statement[] = [oneStep, manySteps]

const mostTogether = 100
const patienceMilliseconds = 50

/** Takes steps: one alone at once, and those who come meanwhile together in the next statement. */
export class Steps {
  readonly #statements: Statements
  readonly #gathered: Gathered<Step, Advanced | undefined>

  constructor(statements: Statements) {
    this.#statements = statements
    this.#gathered = new Gathered({
      together: (steps) => this.#many(steps),
      didNothing: (error) => error instanceof pg.DatabaseError && !isUnavailable(error),
      mostTogether,
      patienceMilliseconds,
    })
  }

  /** @returns undefined when the family is not as described, or is locked */
  take(step: Step): Promise<Advanced | undefined> {
    return this.#gathered.do(step)
  }

  /** @returns undefined when the family is not as described; waits while it is locked */
  async takeAlone(step: Step): Promise<Advanced | undefined> {
    const { sid, generation, digest, clientId, now, idleExpiresAt } = step
    const values = [sid, generation, digest, clientId, now, idleExpiresAt]
    const [row] = await this.#statements.run<Advanced>(oneStep, values)
    return row
  }

  async #many(steps: readonly Step[]): Promise<(Advanced | undefined)[]> {
    const [only] = steps
    if (only && steps.length === 1) return [await this.takeAlone(only)]
    const rows = await this.#statements.run<Advanced & { at: string }>(manySteps, [
      steps.map(({ sid }) => sid),
      steps.map(({ generation }) => generation),
      steps.map(({ digest }) => digest),
      steps.map(({ clientId }) => clientId),
      steps.map(({ now }) => now),
      steps.map(({ idleExpiresAt }) => idleExpiresAt),
    ])
    const outcomes = new Array<Advanced | undefined>(steps.length)
    for (const row of rows) outcomes[Number(row.at) - 1] = row
    return outcomes
  }
}
