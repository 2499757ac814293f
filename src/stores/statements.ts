import { createHash } from 'node:crypto'
import type { Pool } from 'pg'

/** A statement that is asked so often that parsing and planning it anew each time would cost most. */
export interface Statement {
  readonly name: string
  readonly text: string
}

/**
 * The name holds a digest of the text: behind a pooler a connection may know the statement of another
 * instance, or of another release, and the same name always means the same statement.
 */
export function statement(name: string, text: string): Statement {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
  return { name: `signet_${name}_${digest}`, text }
}

interface Dependencies {
  readonly pool: Pool
  /** Off behind a pooler that hands connections on without knowing what was prepared on them. */
  readonly prepared: boolean
  /** Told when a named statement was not known where it was run, and that no more are used. */
  readonly onUnknown?: (error: Error) => void
}

/**
 * Unknown or taken name, and columns that changed their type under a plan. PostgreSQL says so before
 * it has run anything, so that running the statement unnamed runs it once.
 */
const unknownStatement = new Set(['26000', '42P05', '0A000'])

/** Runs hot statements on the pool below knex, prepared by name: half the cost of an unnamed one. */
export class Statements {
  readonly #deps: Dependencies
  #prepared: boolean

  constructor(deps: Dependencies) {
    this.#deps = deps
    this.#prepared = deps.prepared
  }

  async run<Row extends object>({ name, text }: Statement, values: unknown[]): Promise<Row[]> {
    const { pool } = this.#deps
    if (!this.#prepared) return (await pool.query<Row>(text, values)).rows
    try {
      return (await pool.query<Row>({ name, text, values })).rows
    } catch (error) {
      if (!unknownStatement.has((error as { code?: string }).code ?? '')) throw error
      this.#giveUp(error as Error)
      return (await pool.query<Row>(text, values)).rows
    }
  }

  /** Each further one would fail first as well: slower than never having prepared any. */
  #giveUp(error: Error): void {
    if (!this.#prepared) return
    this.#prepared = false
    this.#deps.onUnknown?.(error)
  }
}
