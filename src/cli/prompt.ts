import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { OperatorError } from '../errors.ts'

/** Asks on the terminal, twice, without showing what is typed. */
export async function askNewSecret(question: string): Promise<string> {
  const output = new Writable({ write: (_chunk, _encoding, done) => done() })
  const terminal = createInterface({ input: process.stdin, output, terminal: true })
  const lines = terminal[Symbol.asyncIterator]()
  try {
    const first = await answer(lines, question)
    if ((await answer(lines, 'Once more: ')) === first) return first
  } finally {
    terminal.close()
  }
  throw new OperatorError('The two are not the same. Nothing was changed.')
}

async function answer(lines: AsyncIterator<string>, question: string): Promise<string> {
  process.stderr.write(question)
  const { value, done } = await lines.next()
  process.stderr.write('\n')
  // Ctrl-C and Ctrl-D end the lines.
  if (done) throw new OperatorError('Nothing was typed, nothing was changed.')
  return value
}
