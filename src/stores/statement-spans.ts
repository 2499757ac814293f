import type pg from 'pg'
import { type Span, startSpan } from '../telemetry/spans.ts'

/** Text or name of a statement, in the forms in which pg and knex pass it. */
type Asked = string | { readonly name?: string; readonly text?: string } | undefined

/**
 * Records the statements of sampled traces by name: a prepared statement by its own, others by command and
 * table. Neither the text nor a value leaves the server.
 */
export function traceStatements(pool: pg.Pool): void {
  pool.on('connect', (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown
    const recorded = (...args: unknown[]) => {
      const span = startSpan('statement', ofDatabase)
      if (!span) return query(...args)
      describe(span, args[0] as Asked)
      const done = args.at(-1)
      if (typeof done === 'function') {
        args[args.length - 1] = (error: unknown, result: unknown) => {
          settle(span, error)
          done(error, result)
        }
        return query(...args)
      }
      const result = query(...args)
      if (result instanceof Promise) {
        result.then(
          () => settle(span),
          (error) => settle(span, error),
        )
      } else settle(span)
      return result
    }
    Object.assign(client, { query: recorded })
  })
}

const ofDatabase = { kind: 'client', attributes: { 'db.system.name': 'postgresql' } } as const

function describe(span: Span, asked: Asked): void {
  const { name, text = '' } = typeof asked === 'string' ? { text: asked } : (asked ?? {})
  const { operation, summary } = summaryOf(text)
  const shown = name === undefined ? summary : plainName(name)
  span.rename(shown)
  span.set({ 'db.operation.name': operation, 'db.query.summary': shown })
}

function settle(span: Span, error?: unknown): void {
  if (error) {
    const { code } = error as { code?: unknown }
    if (typeof code === 'string') span.set({ 'db.response.status_code': code.slice(0, 32) })
    span.fail(error)
  }
  span.end()
}

/** Without the prefix and the digest of `statement`. */
const plainName = (name: string): string => name.replace(/^signet_|_[\da-f]{12}$/g, '')

interface Summary {
  readonly operation: string
  readonly summary: string
}

const summaries = new Map<string, Summary>()
/** The server has a few hundred statements; lists of different length make more texts of one. */
const mostSummaries = 1000

/** The command and the table of a statement, such as `UPDATE users`. */
function summaryOf(text: string): Summary {
  const known = summaries.get(text)
  if (known) return known
  const [, command = 'OTHER'] =
    /\b(select|insert|update|delete|begin|commit|rollback|savepoint|release|set|create|lock)\b/i.exec(
      text.replace(/^\s*with\b[\s\S]*?\(/i, ''),
    ) ?? []
  const [, table] =
    /\b(?:from|into|update|join|lock table)\s+(?:only\s+)?"?([a-z_]{1,63})\b/i.exec(text) ?? []
  const operation = command.toUpperCase()
  const isAboutTable =
    table !== undefined && !/^(BEGIN|COMMIT|ROLLBACK|SAVEPOINT|RELEASE|SET)$/.test(operation)
  const summary = { operation, summary: isAboutTable ? `${operation} ${table}` : operation }
  if (summaries.size < mostSummaries) summaries.set(text, summary)
  return summary
}
