import { open, realpath } from 'node:fs/promises'
import { OperatorError } from '../../errors.ts'
import type { RefusedLine } from '../../users/transfer.ts'

/** Where the lines go that an import refused: into a file, or the first of them onto the screen. */
export interface Refusals {
  /** How many were shown, or all of them when they are in a file. */
  readonly shown: number
  /** @returns the length of the report */
  tell(lines: readonly RefusedLine[]): Promise<number>
  close(): Promise<void>
}

/** @param keptBytes what of the report was written before the checkpoint: the rest comes again */
export async function openRefusals(
  report: string | undefined,
  input: string,
  keptBytes: number,
): Promise<Refusals> {
  if (report === undefined) return shownRefusals()
  const file = await open(report, 'a', 0o600)
  if (input !== '-' && (await realpath(report)) === (await realpath(input))) {
    await file.close()
    throw new OperatorError('The report would overwrite the file to import.')
  }
  let bytes = Math.min(keptBytes, (await file.stat()).size)
  await file.truncate(bytes)
  return {
    shown: Number.POSITIVE_INFINITY,
    async tell(lines) {
      const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('')
      if (text !== '') await file.appendFile(text)
      bytes += Buffer.byteLength(text)
      return bytes
    },
    close: () => file.close(),
  }
}

const mostShown = 20

/** Without a report the first ones are told on standard error. */
function shownRefusals(): Refusals {
  let shown = 0
  return {
    get shown() {
      return shown
    },
    async tell(lines) {
      for (const { line, reason } of lines.slice(0, mostShown - shown)) {
        process.stderr.write(`line ${line}: ${reason.replace(/\p{C}/gu, '?')}\n`)
        shown += 1
      }
      return 0
    },
    close: async () => undefined,
  }
}
