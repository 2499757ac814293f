import type { Now } from '../clock.ts'
import { Gathered } from '../stores/gathered.ts'
import { type Statements, statement } from '../stores/statements.ts'
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

type Question = readonly Mark[]

/** All who ask while an answer is under way share the next one. */
export const gatherQuestions = <Answer>(
  together: (questions: readonly Question[]) => Promise<readonly Answer[]>,
): Gathered<Question, Answer> =>
  new Gathered({ together, didNothing: () => false, mostTogether: 100, patienceMilliseconds: 50 })

export const nameOf = ({ kind, value }: Mark): string => `${kind}:${value}`

/** Whether any mark of each question is among the names of what is revoked. */
export const answersOf = (
  questions: readonly Question[],
  revoked: ReadonlySet<string>,
): boolean[] => questions.map((marks) => marks.some((mark) => revoked.has(nameOf(mark))))

/** Asks the log whether something is revoked. */
export class RevocationQuestions {
  readonly #rooms: Rooms
  readonly #gathered = gatherQuestions((questions) => this.#ask(questions))

  constructor(rooms: Rooms) {
    this.#rooms = rooms
  }

  holdsAny(marks: Question): Promise<boolean> {
    return this.#gathered.do(marks)
  }

  async #ask(questions: readonly Question[]): Promise<boolean[]> {
    const { statements, now } = this.#rooms
    const values = new Set(questions.flat().map(({ value }) => value))
    const rows = await statements.run<Mark>(revokedAmong, [[...values], now()])
    return answersOf(questions, new Set(rows.map(nameOf)))
  }
}
