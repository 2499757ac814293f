import type { Now } from '../clock.ts'
import { Gathered } from '../stores/batch-queue.ts'
import { type Statements, statement } from '../stores/statements.ts'
import { isUnavailable } from '../stores/unavailable.ts'
import type { Revocation } from './revocation-log.ts'

/** What a token can be revoked by. */
export type Mark = Pick<Revocation, 'kind' | 'value'>

interface Rooms {
  readonly statements: Statements
  readonly now: Now
}

/** By the value alone, which the index begins with: of one value there is hardly ever another kind. */
const revokedAmong = statement(
  'revoked_among',
  'SELECT kind, value FROM revocations WHERE value = ANY($1) AND expires_at > $2',
)

const mostTogether = 100
const patienceMilliseconds = 50

/** Asks the log whether something is revoked: all who come while it answers share the next statement. */
export class RevocationQuestions {
  readonly #rooms: Rooms
  readonly #gathered = new Gathered<readonly Mark[], boolean>({
    together: (questions) => this.#ask(questions),
    // A read can be asked again, in halves, unless it is PostgreSQL itself that fails.
    didNothing: (error) => !isUnavailable(error),
    mostTogether,
    patienceMilliseconds,
  })

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  holdsAny(marks: readonly Mark[]): Promise<boolean> {
    return this.#gathered.do(marks)
  }

  async #ask(questions: readonly (readonly Mark[])[]): Promise<boolean[]> {
    const { statements, now } = this.#rooms
    const values = new Set(questions.flatMap((marks) => marks.map(({ value }) => value)))
    const rows = await statements.run<Mark>(revokedAmong, [[...values], now()])
    const revoked = new Set(rows.map(nameOf))
    return questions.map((marks) => marks.some((mark) => revoked.has(nameOf(mark))))
  }
}

const nameOf = ({ kind, value }: Mark): string => `${kind}:${value}`
