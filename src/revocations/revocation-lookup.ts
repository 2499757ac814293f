import type { Now } from '../clock.ts'
import { BatchQueue } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import type { Revocation } from './revocation-log.ts'

/** What a token can be revoked by. */
export type RevocationSubject = Pick<Revocation, 'kind' | 'value'>

interface Dependencies {
  readonly statements: Statements
  readonly now: Now
}

/** By the value alone, which the index begins with: of one value there is hardly ever another kind. */
const revokedAmong = statement(
  'revoked_among',
  'SELECT kind, value FROM revocations WHERE value = ANY($1) AND expires_at > $2',
)

const maxBatch = 100
const maxLingerMilliseconds = 50

/** Asks the log whether something is revoked: all who come while it answers share the next statement. */
export class RevocationLookup {
  readonly #deps: Dependencies
  readonly #batches = new BatchQueue<readonly RevocationSubject[], boolean>({
    run: (questions) => this.#ask(questions),
    // A read can be asked again, in halves, unless it is PostgreSQL itself that fails.
    isAtomicFailure: (error) => !isUnavailable(error),
    maxBatch,
    maxLingerMilliseconds,
  })

  constructor(deps: Dependencies) {
    this.#deps = deps
  }

  isRevokedAny(marks: readonly RevocationSubject[]): Promise<boolean> {
    return this.#batches.do(marks)
  }

  async #ask(questions: readonly (readonly RevocationSubject[])[]): Promise<boolean[]> {
    const { statements, now } = this.#deps
    const values = new Set(questions.flatMap((marks) => marks.map(({ value }) => value)))
    const rows = await statements.run<RevocationSubject>(revokedAmong, [[...values], now()])
    const revoked = new Set(rows.map(nameOf))
    return questions.map((marks) => marks.some((mark) => revoked.has(nameOf(mark))))
  }
}

const nameOf = ({ kind, value }: RevocationSubject): string => `${kind}:${value}`
