import pg from 'pg'

export interface RecordedStatement {
  readonly text: string
  readonly values: readonly unknown[]
}

/** Records every statement that this process sends from now on, in their order. */
export function recordStatements(): RecordedStatement[] {
  const recorded: RecordedStatement[] = []
  const send = pg.Client.prototype.query as (...args: unknown[]) => unknown
  Object.assign(pg.Client.prototype, {
    query(this: pg.Client, ...args: unknown[]) {
      const [first, second] = args
      const text = typeof first === 'string' ? first : (first as Partial<RecordedStatement>)?.text
      const values =
        typeof first === 'string' ? second : (first as Partial<RecordedStatement>)?.values
      if (text) recorded.push({ text, values: Array.isArray(values) ? values : [] })
      return send.apply(this, args)
    },
  })
  return recorded
}
