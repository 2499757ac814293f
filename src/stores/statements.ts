import { createHash } from 'node:crypto'
import type { Pool } from 'pg'

/** A frequent statement, which is prepared to save parsing and planning. */
interface Statement {
  readonly name: string
  readonly text: string
}

/**
 * Names a statement with a digest of its text: behind a pooler a connection may know statements of other
 * instances and releases, and a name must always mean the same statement.
 */
export function statement(name: string, text: string): Statement {
  const digest = createHash('sha256').update(text).digest('hex').slice(0, 12)
  return { name: `signet_${name}_${digest}`, text }
}

interface Dependencies {
  readonly pool: Pool
  /** False behind a pooler that does not track prepared statements. */
  readonly prepared: boolean
  /** Called once, when a connection did not know a prepared statement and preparing was disabled. */
  readonly onUnknown?: (error: Error) => void
}

/**
 * SQLSTATEs of an unknown or taken name, and of changed result types. PostgreSQL reports them before it
 * runs the statement, so that running it again without a name executes it once.
 */
const unknownStatement = new Set(['26000', '42P05', '0A000'])

/** Runs frequent statements on the pool below knex, prepared by name, at half the cost of an unnamed one. */
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
      this.#disable(error as Error)
      return (await pool.query<Row>(text, values)).rows
    }
  }

  /** Further prepared statements would fail first too, which is slower than preparing none. */
  #disable(error: Error): void {
    if (!this.#prepared) return
    this.#prepared = false
    this.#deps.onUnknown?.(error)
  }
}
